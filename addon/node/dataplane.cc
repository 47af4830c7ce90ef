#include "node/dataplane.h"

#include <net/if.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>

#include "node/address_calls.h"
#include "node/host_values.h"
#include "dataplane/machine.h"
#include "node/port_object.h"
#include "node/promise.h"

namespace uvs {
namespace {

constexpr uint32_t kMaxEventsWaiting = 4096;

MachineOptions read_options(const Napi::Object& object) {
  MachineOptions options;
  options.connections = number_property(object, "connections", options.connections);
  if (object.Get("cpu").IsNumber()) options.cpu = number_property(object, "cpu");
  if (object.Get("connectionFile").IsString())
    options.connection_file = object.Get("connectionFile").ToString().Utf8Value();
  const Napi::Value interfaces = object.Get("interfaces");
  if (interfaces.IsArray()) {
    const auto names = interfaces.As<Napi::Array>();
    options.interfaces.emplace();
    for (uint32_t i = 0; i < names.Length(); i++) options.interfaces->push_back(names.Get(i).ToString().Utf8Value());
  }
  return options;
}

Napi::Object event_object(Napi::Env env, const MachineEvent& event) {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&object](const char* kind, const char* subject, const char* text, const MachineEvent& from) {
    object.Set("kind", kind);
    if (subject != nullptr) object.Set(subject, from.subject);
    if (text != nullptr) object.Set(text, from.text);
  };
  switch (event.kind) {
    case MachineEvent::Kind::kDeviceAttached: set("device-attached", "device", nullptr, event); break;
    case MachineEvent::Kind::kDeviceDetached: set("device-detached", "device", "reason", event); break;
    case MachineEvent::Kind::kWarning: set("warning", nullptr, "message", event); break;
    case MachineEvent::Kind::kLimit: set("limit", "limit", "message", event); break;
    case MachineEvent::Kind::kAddressesChanged: set("addresses-changed", nullptr, nullptr, event); break;
    case MachineEvent::Kind::kTakenUp: set("taken-up", nullptr, "message", event); break;
    case MachineEvent::Kind::kFailed: set("failed", nullptr, "message", event); break;
  }
  return object;
}

void deliver(Napi::Env env, Napi::Function on_event, MachineEvent* event) {
  if (env != nullptr) on_event.Call({event_object(env, *event)});
  delete event;
}

Napi::Object device_object(Napi::Env env, const DeviceState& device) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", device.name);
  object.Set("ifindex", device.ifindex);
  object.Set("mac", format_mac(device.mac));
  object.Set("mtu", device.mtu);
  object.Set("isAttached", device.is_attached);
  object.Set("reason", device.is_attached ? env.Undefined() : Napi::Value(Napi::String::New(env, device.reason)));
  return object;
}

class Dataplane final : public Napi::ObjectWrap<Dataplane> {
 public:
  explicit Dataplane(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

  static void export_to(Napi::Env env, Napi::Object exports) {
    exports.Set("Dataplane", DefineClass(env, "Dataplane",
                                         {InstanceMethod<&Dataplane::start>("start"),
                                          InstanceMethod<&Dataplane::publish>("publish"),
                                          InstanceMethod<&Dataplane::counters>("readCounters"),
                                          InstanceMethod<&Dataplane::connections>("connections"),
                                          InstanceMethod<&Dataplane::status>("status"),
                                          InstanceMethod<&Dataplane::zero>("zero"),
                                          InstanceMethod<&Dataplane::local_addresses>("localAddresses"),
                                          InstanceMethod<&Dataplane::add>("addAddress"),
                                          InstanceMethod<&Dataplane::remove>("removeAddress"),
                                          InstanceMethod<&Dataplane::leave>("leaveAddress"),
                                          InstanceMethod<&Dataplane::take_up>("takeUpAddress"),
                                          InstanceMethod<&Dataplane::look_after_ours>("lookAfter"),
                                          InstanceMethod<&Dataplane::settle>("settle"),
                                          InstanceMethod<&Dataplane::stop>("stop")}));
  }

 private:
  static Napi::Object self(const Napi::CallbackInfo& info) { return info.This().As<Napi::Object>(); }

  Machine& running(Napi::Env env) {
    if (machine_) return *machine_;
    Napi::Error error = Napi::Error::New(env, "the data plane is not started");
    error.Set("code", "NOT_RUNNING");
    throw error;
  }
  std::shared_ptr<ControlPort> port(Napi::Env env) {
    ControlPort& port = running(env).port();
    return {machine_, &port};
  }

  Napi::Value start(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const MachineOptions options = read_options(info[0].As<Napi::Object>());
    // Until the last start has been stopped, `events_` is in use.
    if (has_events_) return rejected(env, {ErrorCode::kAlreadyRunning, "the data plane is started already"});
    events_ = Napi::ThreadSafeFunction::New(env, info[1].As<Napi::Function>(), "uvs.events", kMaxEventsWaiting, 1);
    has_events_ = true;
    const Machine::OnEvent on_event = [events = events_](MachineEvent event) mutable {
      auto* waiting = new MachineEvent(std::move(event));
      if (events.NonBlockingCall(waiting, deliver) != napi_ok) delete waiting;
    };
    auto started = std::make_shared<std::shared_ptr<Machine>>();
    return PromiseWork::start(
        self(info),
        [this, options, on_event, started]() -> Status {
          Result<std::shared_ptr<Machine>> machine = Machine::start(options, on_event);
          if (!machine.ok()) {
            release_events();
            return machine.status();
          }
          *started = machine.value();
          return {};
        },
        [this, started](Napi::Env done) -> Napi::Value {
          machine_ = std::move(*started);
          return done.Undefined();
        });
  }

  static Napi::Value rejected(Napi::Env env, const Status& status) {
    const auto deferred = Napi::Promise::Deferred::New(env);
    deferred.Reject(to_error(env, status).Value());
    return deferred.Promise();
  }

  Napi::Value publish(const Napi::CallbackInfo& info) { return publish_table(self(info), port(info.Env()), info[0]); }
  Napi::Value counters(const Napi::CallbackInfo& info) {
    return read_counters(info.Env(), *port(info.Env()), info[0]);
  }
  Napi::Value connections(const Napi::CallbackInfo& info) {
    return list_connections(self(info), port(info.Env()), info);
  }
  void zero(const Napi::CallbackInfo& info) { port(info.Env())->zero(); }

  Napi::Value status(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    Machine& machine = running(env);
    Napi::Object status = port_status(env, machine.port(), machine.drops(), machine.passes());
    Napi::Array devices = Napi::Array::New(env);
    for (const DeviceState& device : machine.devices()) devices.Set(devices.Length(), device_object(env, device));
    status.Set("devices", devices);
    CustodyReport custody = machine.custody();
    const CustodyReport addresses = addresses_->report();
    custody.put_back += addresses.put_back;
    custody.deviations.insert(custody.deviations.end(), addresses.deviations.begin(), addresses.deviations.end());
    status.Set("custody", custody_object(env, custody));
    status.Set("io", "af_packet: TPACKET_V2 rings with PACKET_VNET_HDR on the slow-path pair uvs0/uvs1");
    status.Set("steering", machine.steering());
    return status;
  }

  Napi::Value local_addresses(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    Napi::Array addresses = Napi::Array::New(env);
    for (const LocalAddress& local : running(env).local_addresses()) {
      std::array<char, IF_NAMESIZE> device{};
      // A device that has gone meanwhile took its addresses along.
      if (if_indextoname(local.ifindex, device.data()) == nullptr) continue;
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("address", format_address(local.family, local.address));
      entry.Set("prefixLength", local.prefix_length);
      entry.Set("device", device.data());
      addresses.Set(addresses.Length(), entry);
    }
    return addresses;
  }

  Napi::Value add(const Napi::CallbackInfo& info) {
    const HostAddress address = read_host_address(info[0]);
    return PromiseWork::start(self(info), [address] { return add_address(address); },
                              [](Napi::Env env) -> Napi::Value { return env.Undefined(); });
  }
  Napi::Value remove(const Napi::CallbackInfo& info) {
    const HostAddress address = read_host_address(info[0]);
    return PromiseWork::start(self(info), [address] { return remove_address(address); },
                              [](Napi::Env env) -> Napi::Value { return env.Undefined(); });
  }

  Napi::Value leave(const Napi::CallbackInfo& info) { return leave_host_address(self(info), info); }
  Napi::Value take_up(const Napi::CallbackInfo& info) { return take_up_host_address(self(info), info); }
  Napi::Value look_after_ours(const Napi::CallbackInfo& info) {
    return look_after_belongings(self(info), info, addresses_);
  }
  Napi::Value settle(const Napi::CallbackInfo& info) {
    (void)running(info.Env());
    return PromiseWork::start(self(info), [machine = machine_] { return machine->settle(); },
                              [](Napi::Env env) -> Napi::Value { return env.Undefined(); });
  }

  Napi::Value stop(const Napi::CallbackInfo& info) {
    const bool is_restart = info[0].ToBoolean();
    std::shared_ptr<Machine> machine = std::move(machine_);
    machine_.reset();
    return PromiseWork::start(
        self(info),
        [this, machine, is_restart]() -> Status {
          if (machine) machine->stop(is_restart);
          release_events();
          return {};
        },
        [](Napi::Env env) -> Napi::Value { return env.Undefined(); });
  }

  void release_events() {
    if (!has_events_.exchange(false)) return;
    events_.Release();
  }

  std::shared_ptr<Machine> machine_;
  std::shared_ptr<Custody> addresses_ = std::make_shared<Custody>();
  Napi::ThreadSafeFunction events_;
  std::atomic<bool> has_events_ = false;
};

}  // namespace

void export_dataplane(Napi::Env env, Napi::Object exports) { Dataplane::export_to(env, exports); }

}  // namespace uvs
