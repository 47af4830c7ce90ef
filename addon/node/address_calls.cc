#include "node/address_calls.h"

#include <memory>

#include "node/host_values.h"
#include "node/promise.h"

namespace uvs {

Napi::Value leave_host_address(const Napi::Object& self, const Napi::CallbackInfo& info) {
  const HostAddress address = read_host_address(info[0]);
  const uint32_t seconds = info[1].ToNumber().Uint32Value();
  return PromiseWork::start(self, [address, seconds] { return leave_address(address, seconds); },
                            [](Napi::Env env) -> Napi::Value { return env.Undefined(); });
}

Napi::Value take_up_host_address(const Napi::Object& self, const Napi::CallbackInfo& info) {
  const HostAddress address = read_host_address(info[0]);
  auto is_ours = std::make_shared<bool>(false);
  return PromiseWork::start(
      self,
      [address, is_ours]() -> Status {
        Result<bool> taken = take_up_address(address);
        if (!taken.ok()) return taken.status();
        *is_ours = taken.value();
        return {};
      },
      [is_ours](Napi::Env env) -> Napi::Value { return Napi::Boolean::New(env, *is_ours); });
}

}  // namespace uvs
