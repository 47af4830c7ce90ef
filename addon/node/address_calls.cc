#include "node/address_calls.h"

#include <memory>

#include "host/belongings.h"
#include "io/monotonic_clock.h"
#include "node/errors.h"
#include "node/host_values.h"
#include "node/promise.h"

namespace uvs {
namespace {

constexpr const char* kStateNames[] = {"in-place", "put-back", "left"};

Belonging read_belonging(const Napi::Object& object) {
  Belonging belonging;
  const std::string kind = text_property(object, "kind");
  if (kind == "address") {
    belonging.thing = read_host_address(object.Get("address"));
  } else if (kind == "route") {
    belonging.thing = read_route(object.Get("route"));
  } else {
    const std::string text = text_property(object, "mac");
    const auto mac = parse_mac(text);
    if (!mac) throw Napi::TypeError::New(object.Env(), "not a MAC address: " + text);
    belonging.thing = VirtualMacSpec{text_property(object, "name"), text_property(object, "parent"), *mac};
  }
  belonging.text = text_property(object, "text");
  belonging.is_our_doing = object.Get("isOurDoing").ToBoolean();
  return belonging;
}

}  // namespace

Napi::Object custody_object(Napi::Env env, const CustodyReport& report) {
  Napi::Array deviations = Napi::Array::New(env);
  for (const std::string& deviation : report.deviations) deviations.Set(deviations.Length(), deviation);
  Napi::Object object = Napi::Object::New(env);
  object.Set("putBack", static_cast<double>(report.put_back));
  object.Set("deviations", deviations);
  return object;
}

Napi::Value look_after_belongings(const Napi::Object& self, const Napi::CallbackInfo& info,
                                  std::shared_ptr<Custody> custody) {
  const auto list = info[0].As<Napi::Array>();
  std::vector<Belonging> belongings;
  for (uint32_t i = 0; i < list.Length(); i++) belongings.push_back(read_belonging(list.Get(i).As<Napi::Object>()));
  auto outcomes = std::make_shared<std::vector<CustodyOutcome>>();
  return PromiseWork::start(
      self,
      [custody, belongings = std::move(belongings), outcomes]() -> Status {
        *outcomes = look_after(*custody, belongings, monotonic_now());
        return {};
      },
      [outcomes](Napi::Env env) -> Napi::Value {
        Napi::Array result = Napi::Array::New(env, outcomes->size());
        for (uint32_t i = 0; i < outcomes->size(); i++) {
          const CustodyOutcome& outcome = (*outcomes)[i];
          Napi::Object object = Napi::Object::New(env);
          object.Set("state", kStateNames[static_cast<size_t>(outcome.state)]);
          object.Set("text", outcome.text);
          object.Set("isNew", outcome.is_new);
          result.Set(i, object);
        }
        return result;
      });
}

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
