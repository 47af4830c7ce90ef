#include "node/network.h"

#include <dlfcn.h>

#include <memory>
#include <string>

#include "host/failover_network.h"
#include "host/virtual_mac.h"
#include "node/address_calls.h"
#include "node/errors.h"
#include "node/host_values.h"
#include "node/network_events.h"
#include "node/promise.h"

namespace uvs {
namespace {

// The guardian's executable stands beside the addon.
std::string guardian_path() {
  Dl_info about{};
  const auto* inside = reinterpret_cast<const void*>(&guardian_path);
  const std::string addon = dladdr(inside, &about) != 0 && about.dli_fname ? about.dli_fname : "";
  return addon.substr(0, addon.rfind('/') + 1) + "uvs-guardian";
}

Napi::Value undefined(Napi::Env env) { return env.Undefined(); }

void check(Napi::Env env, const Status& status) {
  if (!status.ok()) throw to_error(env, status);
}

Napi::Value text_or_undefined(Napi::Env env, const std::string& text) {
  return text.empty() ? env.Undefined() : Napi::Value(Napi::String::New(env, text));
}

Family read_family(const Napi::Value& value) {
  return value.ToNumber().Uint32Value() == 6 ? Family::kIpv6 : Family::kIpv4;
}

class NetworkObject final : public Napi::ObjectWrap<NetworkObject> {
 public:
  explicit NetworkObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

  static void export_to(Napi::Env env, Napi::Object exports) {
    exports.Set("Network",
                DefineClass(env, "Network",
                            {InstanceMethod<&NetworkObject::start>("start"),
                             InstanceMethod<&NetworkObject::links>("links"),
                             InstanceMethod<&NetworkObject::listen_for_adverts>("listenForAdverts"),
                             InstanceMethod<&NetworkObject::stop_listening_for_adverts>("stopListeningForAdverts"),
                             InstanceMethod<&NetworkObject::follow>("follow"),
                             InstanceMethod<&NetworkObject::open>("open"),
                             InstanceMethod<&NetworkObject::close>("close"),
                             InstanceMethod<&NetworkObject::advertise>("advertise"),
                             InstanceMethod<&NetworkObject::entrust>("entrust"),
                             InstanceMethod<&NetworkObject::revoke>("revoke"),
                             InstanceMethod<&NetworkObject::send_frame>("sendFrame"),
                             InstanceMethod<&NetworkObject::listen_for_frames>("listenForFrames"),
                             InstanceMethod<&NetworkObject::stop_listening_for_frames>("stopListeningForFrames"),
                             InstanceMethod<&NetworkObject::add_host_address>("addAddress"),
                             InstanceMethod<&NetworkObject::remove_host_address>("removeAddress"),
                             InstanceMethod<&NetworkObject::leave>("leaveAddress"),
                             InstanceMethod<&NetworkObject::take_up>("takeUpAddress"),
                             InstanceMethod<&NetworkObject::add_virtual_route>("addRoute"),
                             InstanceMethod<&NetworkObject::remove_virtual_route>("removeRoute"),
                             InstanceMethod<&NetworkObject::add_mac>("addVirtualMac"),
                             InstanceMethod<&NetworkObject::remove_mac>("removeVirtualMac"),
                             InstanceMethod<&NetworkObject::look_after_ours>("lookAfter"),
                             InstanceMethod<&NetworkObject::custody>("custody"),
                             InstanceMethod<&NetworkObject::stop>("stop")}));
  }

 private:
  // FailoverNetwork reports to the events, so it goes first.
  struct Running {
    std::unique_ptr<JavaScriptEvents> events;
    std::unique_ptr<FailoverNetwork> network;
  };

  static Napi::Object self(const Napi::CallbackInfo& info) { return info.This().As<Napi::Object>(); }
  static std::string text(const Napi::Value& value) { return value.ToString().Utf8Value(); }

  FailoverNetwork& running(Napi::Env env) {
    if (running_) return *running_->network;
    Napi::Error error = Napi::Error::New(env, "the network is not running");
    error.Set("code", "NOT_RUNNING");
    throw error;
  }
  // Off the event loop; the kernel may take its time.
  Napi::Value configure(const Napi::CallbackInfo& info, PromiseWork::Run run) {
    (void)running(info.Env());
    return PromiseWork::start(self(info), std::move(run), undefined);
  }

  Napi::Value start(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    if (is_used_) {
      const auto deferred = Napi::Promise::Deferred::New(env);
      deferred.Reject(to_error(env, {ErrorCode::kAlreadyRunning, "the network was started before"}).Value());
      return deferred.Promise();
    }
    is_used_ = true;
    auto started = std::make_shared<Running>();
    started->events = std::make_unique<JavaScriptEvents>(
        env, info[0].As<Napi::Function>(), [this](const std::string& router) {
          if (running_) running_->network->acknowledge_expiry(router);
        });
    const Napi::Object object = self(info);
    return PromiseWork::start(
        object,
        [started]() -> Status {
          auto network = FailoverNetwork::start(guardian_path(), *started->events);
          if (!network.ok()) {
            started->events->end();
            return network.status();
          }
          started->network = std::move(network.value());
          return {};
        },
        [this, started](Napi::Env done) -> Napi::Value {
          running_ = started;
          return done.Undefined();
        });
  }

  Napi::Value links(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const auto found = snapshot_links();
    if (!found.ok()) throw to_error(env, found.status());
    Napi::Array list = Napi::Array::New(env);
    for (const FailoverLink& link : found.value()) list.Set(list.Length(), link_object(env, link));
    return list;
  }

  void listen_for_adverts(const Napi::CallbackInfo& info) {
    const auto listener = info[0].As<Napi::Object>();
    std::vector<IpAddress> groups;
    for (const ProbedAddress& group : read_addresses(listener.Get("groups"))) groups.push_back(group.address);
    check(info.Env(),
          running(info.Env()).listen_for_adverts(text_property(listener, "device"), read_family(listener.Get("family")), groups));
  }
  void stop_listening_for_adverts(const Napi::CallbackInfo& info) {
    if (running_) running_->network->stop_listening_for_adverts(text(info[0]), read_family(info[1]));
  }

  void follow(const Napi::CallbackInfo& info) {
    if (!running_) return;
    std::optional<AdvertOrigin> master;
    if (info[1].IsObject()) {
      const auto origin = info[1].As<Napi::Object>();
      const ParsedAddress source = address_property(origin, "source");
      const auto id = static_cast<uint8_t>(number_property(origin, "virtualRouterId"));
      master = AdvertOrigin{text_property(origin, "device"), source.address, source.family, id};
    }
    running_->network->follow(text(info[0]), master);
  }

  void open(const Napi::CallbackInfo& info) {
    const auto egress = info[0].As<Napi::Object>();
    const ParsedAddress source = address_property(egress, "source");
    const auto ttl = static_cast<uint8_t>(number_property(egress, "ttl", 255));
    check(info.Env(), running(info.Env()).open(text_property(egress, "router"), {text_property(egress, "device"),
                                                                               source.family, source.address, ttl}));
  }
  void close(const Napi::CallbackInfo& info) {
    if (running_) running_->network->close(text(info[0]));
  }

  Napi::Value advertise(const Napi::CallbackInfo& info) {
    const std::string router = text(info[0]);
    const std::string error =
        running_ ? running_->network->advertise(router, read_messages(info[1]), read_repetition(info[2]))
                 : "the network is not running";
    return text_or_undefined(info.Env(), error);
  }

  Napi::Value entrust(const Napi::CallbackInfo& info) {
    FailoverNetwork& network = running(info.Env());
    const auto object = info[1].As<Napi::Object>();
    LastWill will;
    will.goodbye = read_messages(object.Get("goodbye"));
    const auto addresses = object.Get("addresses").As<Napi::Array>();
    for (uint32_t i = 0; i < addresses.Length(); i++) will.addresses.push_back(read_host_address(addresses.Get(i)));
    const auto routes = object.Get("routes").As<Napi::Array>();
    for (uint32_t i = 0; i < routes.Length(); i++) will.routes.push_back(read_route(routes.Get(i)));
    auto deferred = std::make_shared<Napi::Promise::Deferred>(Napi::Promise::Deferred::New(info.Env()));
    const Napi::Promise promise = deferred->Promise();
    network.entrust(text(info[0]), std::move(will), [deferred, events = running_->events.get()](const Status& status) {
      events->settle(deferred, status);
    });
    return promise;
  }
  void revoke(const Napi::CallbackInfo& info) {
    if (running_) running_->network->revoke(text(info[0]));
  }

  Napi::Value send_frame(const Napi::CallbackInfo& info) {
    const auto frame = info[1].As<Napi::Uint8Array>();
    const std::string error =
        running_ ? running_->network->send_frame(text(info[0]), {frame.Data(), frame.ByteLength()})
                 : "the network is not running";
    return text_or_undefined(info.Env(), error);
  }
  void listen_for_frames(const Napi::CallbackInfo& info) {
    const auto filter = info[0].As<Napi::Object>();
    check(info.Env(), running(info.Env()).listen_for_frames(text_property(filter, "device"), read_addresses(filter.Get("addresses"))));
  }
  void stop_listening_for_frames(const Napi::CallbackInfo& info) {
    if (running_) running_->network->stop_listening_for_frames(text(info[0]));
  }

  Napi::Value add_host_address(const Napi::CallbackInfo& info) {
    return configure(info, [address = read_host_address(info[0])] { return add_address(address); });
  }
  Napi::Value remove_host_address(const Napi::CallbackInfo& info) {
    return configure(info, [address = read_host_address(info[0])] { return remove_address(address); });
  }
  Napi::Value leave(const Napi::CallbackInfo& info) { return leave_host_address(self(info), info); }
  Napi::Value take_up(const Napi::CallbackInfo& info) { return take_up_host_address(self(info), info); }
  Napi::Value look_after_ours(const Napi::CallbackInfo& info) {
    (void)running(info.Env());
    return look_after_belongings(self(info), info, custody_);
  }
  Napi::Value custody(const Napi::CallbackInfo& info) { return custody_object(info.Env(), custody_->report()); }
  Napi::Value add_virtual_route(const Napi::CallbackInfo& info) {
    return configure(info, [route = read_route(info[0])] { return add_route(route); });
  }
  Napi::Value remove_virtual_route(const Napi::CallbackInfo& info) {
    return configure(info, [route = read_route(info[0])] { return remove_route(route); });
  }
  Napi::Value add_mac(const Napi::CallbackInfo& info) {
    const auto mac = parse_mac(text(info[2]));
    if (!mac) throw Napi::TypeError::New(info.Env(), "not a MAC address: " + text(info[2]));
    return configure(info, [name = text(info[0]), parent = text(info[1]), mac = *mac] {
      return add_virtual_mac(name, parent, mac);
    });
  }
  Napi::Value remove_mac(const Napi::CallbackInfo& info) {
    return configure(info, [name = text(info[0])] { return remove_virtual_mac(name); });
  }

  Napi::Value stop(const Napi::CallbackInfo& info) {
    std::shared_ptr<Running> ending = std::move(running_);
    running_.reset();
    return PromiseWork::start(
        self(info),
        [ending]() -> Status {
          if (!ending) return {};
          ending->network->stop();
          ending->events->end();
          return {};
        },
        undefined);
  }

  bool is_used_ = false;
  std::shared_ptr<Custody> custody_ = std::make_shared<Custody>();
  std::shared_ptr<Running> running_;
};

}  // namespace

void export_network(Napi::Env env, Napi::Object exports) { NetworkObject::export_to(env, exports); }

}  // namespace uvs
