#include "node/host.h"

#include <memory>
#include <optional>
#include <vector>

#include "host/leftovers.h"
#include "host/service_manager.h"
#include "host/tcp_probe.h"
#include "io/file_lock.h"
#include "node/errors.h"
#include "node/promise.h"

namespace uvs {
namespace {

Napi::Value sd_notify(const Napi::CallbackInfo& info) {
  const std::string text = info[0].ToString().Utf8Value();
  return Napi::Boolean::New(info.Env(), notify_service_manager(text));
}

TcpProbe read_probe(const Napi::Object& options) {
  TcpProbe probe;
  probe.id = static_cast<uint64_t>(options.Get("id").ToNumber().Int64Value());
  const ParsedAddress target = address_property(options, "address");
  probe.family = target.family;
  probe.address = target.address;
  probe.port = static_cast<uint16_t>(number_property(options, "port"));
  probe.bind_device = text_property(options, "bindDevice");
  if (options.Get("bindAddress").IsString()) {
    probe.has_bind_address = true;
    probe.bind_address = address_property(options, "bindAddress").address;
  }
  probe.bind_port = static_cast<uint16_t>(number_property(options, "bindPort"));
  probe.fwmark = number_property(options, "fwmark");
  probe.timeout_ms = number_property(options, "timeout_ms", probe.timeout_ms);
  return probe;
}

// Probes by number; what has ended is reported in lists, each once an event loop's turn takes it.
class TcpProberObject final : public Napi::ObjectWrap<TcpProberObject> {
 public:
  explicit TcpProberObject(const Napi::CallbackInfo& info)
      : ObjectWrap(info),
        loop_(Napi::ThreadSafeFunction::New(info.Env(), info[0].As<Napi::Function>(), "uvs.probes", 0, 1)),
        prober_([loop = loop_](std::vector<TcpProbeEnd> ends) mutable {
          auto* list = new std::vector<TcpProbeEnd>(std::move(ends));
          if (loop.NonBlockingCall(list, report) != napi_ok) delete list;
        }) {
    // A probe under way is no reason for the process to live on.
    loop_.Unref(info.Env());
  }

  static void export_to(Napi::Env env, Napi::Object exports) {
    exports.Set("TcpProber", DefineClass(env, "TcpProber",
                                         {InstanceMethod<&TcpProberObject::probe>("probe"),
                                          InstanceMethod<&TcpProberObject::cancel>("cancel")}));
  }

 private:
  static void report(Napi::Env env, Napi::Function callback, std::vector<TcpProbeEnd>* ends) {
    const std::unique_ptr<std::vector<TcpProbeEnd>> owned(ends);
    if (env == nullptr) return;
    Napi::Array list = Napi::Array::New(env, ends->size());
    for (uint32_t i = 0; i < ends->size(); i++) {
      const TcpProbeEnd& end = (*ends)[i];
      Napi::Object row = Napi::Object::New(env);
      row.Set("id", static_cast<double>(end.id));
      if (!end.error.empty()) row.Set("error", end.error);
      if (!end.code.empty()) row.Set("code", end.code);
      list.Set(i, row);
    }
    callback.Call({list});
  }

  void probe(const Napi::CallbackInfo& info) {
    const auto list = info[0].As<Napi::Array>();
    std::vector<TcpProbe> probes;
    for (uint32_t i = 0; i < list.Length(); i++) probes.push_back(read_probe(list.Get(i).As<Napi::Object>()));
    prober_.probe(std::move(probes));
  }

  void cancel(const Napi::CallbackInfo& info) {
    prober_.cancel(static_cast<uint64_t>(info[0].ToNumber().Int64Value()));
  }

  Napi::ThreadSafeFunction loop_;
  TcpProber prober_;
};

Napi::Value lock_file(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto taken = FileLock::take(info[0].ToString().Utf8Value(), info[1].ToString().Utf8Value());
  if (!taken.ok()) throw to_error(env, taken.status());
  auto lock = std::make_shared<std::optional<FileLock>>(std::move(taken.value()));
  Napi::Object held = Napi::Object::New(env);
  held.Set("release", Napi::Function::New(env, [lock](const Napi::CallbackInfo&) { lock->reset(); }));
  return held;
}

Napi::Value remove_what_is_left(const Napi::CallbackInfo& info) {
  return PromiseWork::start(info.This().As<Napi::Object>(), [] { return remove_leftovers(); },
                            [](Napi::Env env) -> Napi::Value { return env.Undefined(); });
}

}  // namespace

void export_host(Napi::Env env, Napi::Object exports) {
  exports.Set("sdNotify", Napi::Function::New(env, sd_notify));
  exports.Set("lockFile", Napi::Function::New(env, lock_file));
  exports.Set("removeLeftovers", Napi::Function::New(env, remove_what_is_left));
  TcpProberObject::export_to(env, exports);
}

}  // namespace uvs
