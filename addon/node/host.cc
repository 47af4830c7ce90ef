#include "node/host.h"

#include <memory>
#include <optional>

#include "host/service_manager.h"
#include "host/tcp_probe.h"
#include "io/file_lock.h"
#include "node/errors.h"

namespace uvs {
namespace {

Napi::Value sd_notify(const Napi::CallbackInfo& info) {
  const std::string text = info[0].ToString().Utf8Value();
  return Napi::Boolean::New(info.Env(), notify_service_manager(text));
}

TcpProbe read_probe(const Napi::Object& options) {
  TcpProbe probe;
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

// The promise of one probe on its way over the prober's thread.
struct PendingProbe {
  Napi::Promise::Deferred deferred;
  std::string error;
};

void settle(Napi::Env env, Napi::Function, PendingProbe* pending) {
  if (env != nullptr) {
    pending->deferred.Resolve(pending->error.empty() ? env.Undefined()
                                                     : Napi::Value(Napi::String::New(env, pending->error)));
  }
  delete pending;
}

Napi::Value probe_tcp(const Napi::CallbackInfo& info) {
  static TcpProber prober;
  const Napi::Env env = info.Env();
  const TcpProbe probe = read_probe(info[0].As<Napi::Object>());
  auto* pending = new PendingProbe{Napi::Promise::Deferred::New(env), {}};
  const Napi::Promise promise = pending->deferred.Promise();
  auto loop = Napi::ThreadSafeFunction::New(env, Napi::Function(), "uvs.probeTcp", 0, 1);
  prober.probe(probe, [loop, pending](std::string error) mutable {
    pending->error = std::move(error);
    loop.NonBlockingCall(pending, settle);
    loop.Release();
  });
  return promise;
}

Napi::Value lock_file(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto taken = FileLock::take(info[0].ToString().Utf8Value(), info[1].ToString().Utf8Value());
  if (!taken.ok()) throw to_error(env, taken.status());
  auto lock = std::make_shared<std::optional<FileLock>>(std::move(taken.value()));
  Napi::Object held = Napi::Object::New(env);
  held.Set("release", Napi::Function::New(env, [lock](const Napi::CallbackInfo&) { lock->reset(); }));
  return held;
}

}  // namespace

void export_host(Napi::Env env, Napi::Object exports) {
  exports.Set("sdNotify", Napi::Function::New(env, sd_notify));
  exports.Set("lockFile", Napi::Function::New(env, lock_file));
  exports.Set("probeTcp", Napi::Function::New(env, probe_tcp));
}

}  // namespace uvs
