#include "node/memory_dataplane.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <tuple>
#include <vector>

#include "io/memory_link.h"
#include "node/errors.h"
#include "node/port_object.h"

namespace uvs {
namespace {

// Any secret will do: nobody sends packets here but the test.
constexpr uvs_hash_key kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

const char* name_of(Verdict verdict) {
  return verdict == Verdict::kForward ? "forward" : verdict == Verdict::kAnswer ? "answer" : "toHost";
}

template <typename Read>
void for_each(const Napi::Object& host, const char* name, Read read) {
  const auto list = host.Get(name).As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) read(list.Get(i).As<Napi::Object>());
}

MacAddress mac_property(const Napi::Object& object) {
  const std::optional<MacAddress> mac = parse_mac(text_property(object, "mac"));
  if (!mac) throw Napi::TypeError::New(object.Env(), "mac must be six bytes in hexadecimal");
  return *mac;
}

Route read_route(const Napi::Object& object) {
  const std::string text = text_property(object, "prefix");
  const size_t slash = text.find('/');
  const std::optional<ParsedAddress> prefix = parse_address(text.substr(0, slash));
  if (!prefix || slash == std::string::npos) {
    throw Napi::TypeError::New(object.Env(), "prefix must be ADDRESS/LENGTH");
  }
  Route route;
  route.family = prefix->family;
  route.prefix = prefix->address;
  route.prefix_length = static_cast<uint8_t>(std::stoul(text.substr(slash + 1)));
  NextHop hop;
  hop.ifindex = number_property(object, "ifindex");
  if (object.Get("gateway").IsString()) {
    const ParsedAddress gateway = address_property(object, "gateway");
    hop.is_on_link = false;
    hop.gateway = gateway.address;
    hop.gateway_family = gateway.family;
  }
  route.next_hops.push_back(hop);
  return route;
}

std::unique_ptr<HostView> read_host(const Napi::Object& host) {
  auto view = std::make_unique<HostView>();
  view->generation = 1;
  for_each(host, "links", [&](const Napi::Object& link) {
    view->links.push_back({number_property(link, "ifindex"), number_property(link, "mtu"), mac_property(link), true});
  });
  for_each(host, "addresses", [&](const Napi::Object& item) {
    const ParsedAddress parsed = address_property(item, "address");
    view->local_addresses.push_back({parsed.family, parsed.address, number_property(item, "ifindex")});
  });
  std::vector<Route> routes;
  for_each(host, "routes", [&](const Napi::Object& route) { routes.push_back(read_route(route)); });
  view->routes = RouteTable(routes);
  std::sort(view->links.begin(), view->links.end(), [](auto& a, auto& b) { return a.ifindex < b.ifindex; });
  std::sort(view->local_addresses.begin(), view->local_addresses.end(), [](auto& a, auto& b) {
    return std::tie(a.family, a.address.bytes) < std::tie(b.family, b.address.bytes);
  });
  return view;
}

// One director in memory: declared in the order in which the parts refer to each other.
struct MemoryMachine {
  explicit MemoryMachine(uint32_t connections)
      : replies(std::bit_ceil(std::max<size_t>(connections / 2, 16))),
        director(Director::create({connections, kKey, replies, kKey}, neighbours)) {}

  NeighbourTable neighbours{kKey};
  std::vector<uvs_flow_bucket> replies;
  MemoryLink link;
  std::unique_ptr<Director> director;
  std::unique_ptr<Worker> worker;
  std::unique_ptr<ControlPort> port;
};

class MemoryDataplane final : public Napi::ObjectWrap<MemoryDataplane> {
 public:
  explicit MemoryDataplane(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    const auto options = info[0].As<Napi::Object>();
    machine_ = std::make_shared<MemoryMachine>(number_property(options, "connections", 4096));
    if (!machine_->director) throw Napi::RangeError::New(info.Env(), "connections is out of range");
    machine_->worker = std::make_unique<Worker>(*machine_->director, machine_->link, WorkerOptions{});
    machine_->port = std::make_unique<ControlPort>(*machine_->director, *machine_->worker);
    const auto host = options.Get("host").As<Napi::Object>();
    machine_->director->publish_host_view(read_host(host));
    for_each(host, "neighbours", [this](const Napi::Object& item) {
      const ParsedAddress parsed = address_property(item, "address");
      const NeighbourKey key{number_property(item, "ifindex"), parsed.family, parsed.address};
      machine_->neighbours.find_or_request(key);
      machine_->neighbours.update(key, NeighbourState::kResolved, mac_property(item));
    });
  }

  static void export_to(Napi::Env env, Napi::Object exports) {
    exports.Set("MemoryDataplane",
                DefineClass(env, "MemoryDataplane",
                            {InstanceMethod<&MemoryDataplane::publish>("publish"),
                             InstanceMethod<&MemoryDataplane::counters>("readCounters"),
                             InstanceMethod<&MemoryDataplane::connections>("connections"),
                             InstanceMethod<&MemoryDataplane::status>("status"),
                             InstanceMethod<&MemoryDataplane::zero>("zero"),
                             InstanceMethod<&MemoryDataplane::inject>("inject"),
                             InstanceMethod<&MemoryDataplane::run_once>("runOnce"),
                             InstanceMethod<&MemoryDataplane::take>("take")}));
  }

 private:
  std::shared_ptr<ControlPort> port() { return {machine_, machine_->port.get()}; }

  Napi::Value publish(const Napi::CallbackInfo& info) {
    return publish_table(info.This().As<Napi::Object>(), port(), info[0]);
  }
  Napi::Value counters(const Napi::CallbackInfo& info) { return read_counters(info.Env(), *port(), info[0]); }
  Napi::Value connections(const Napi::CallbackInfo& info) {
    return list_connections(info.This().As<Napi::Object>(), port(), info);
  }
  Napi::Value status(const Napi::CallbackInfo& info) {
    Napi::Object status = port_status(info.Env(), *port());
    status.Set("devices", Napi::Array::New(info.Env()));
    Napi::Object custody = Napi::Object::New(info.Env());
    custody.Set("putBack", 0);
    custody.Set("deviations", Napi::Array::New(info.Env()));
    status.Set("custody", custody);
    status.Set("io", "memory_link");
    status.Set("steering", "none: in memory");
    return status;
  }
  void zero(const Napi::CallbackInfo&) { port()->zero(); }

  void inject(const Napi::CallbackInfo& info) {
    const auto bytes = info[1].As<Napi::Uint8Array>();
    if (!machine_->link.inject(info[0].ToNumber().Uint32Value(), {bytes.Data(), bytes.ByteLength()})) {
      throw Napi::RangeError::New(info.Env(), "the queue is full");
    }
  }

  void run_once(const Napi::CallbackInfo& info) {
    machine_->worker->run_once(static_cast<Micros>(info[0].ToNumber().Int64Value()));
  }

  Napi::Value take(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    Napi::Array taken = Napi::Array::New(env);
    for (const TransmittedFrame& frame : machine_->link.take()) {
      Napi::Object output = Napi::Object::New(env);
      output.Set("verdict", name_of(frame.verdict));
      output.Set("egressIfindex", frame.egress_ifindex);
      output.Set("ingressIfindex", frame.ingress_ifindex);
      output.Set("bytes", Napi::Buffer<uint8_t>::Copy(env, frame.bytes.data(), frame.bytes.size()));
      taken.Set(taken.Length(), output);
    }
    return taken;
  }

  std::shared_ptr<MemoryMachine> machine_;
};

}  // namespace

void export_memory_dataplane(Napi::Env env, Napi::Object exports) { MemoryDataplane::export_to(env, exports); }

}  // namespace uvs
