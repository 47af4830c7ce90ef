// A director in memory: clients behind ifindex 2, servers behind ifindex 3, a clock that the test turns, and next hops
// that answer at once unless the test says otherwise. Tables are written as they read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/net/parse.h"
#include "core/path/director.h"
#include "core/schedule/scheduler.h"
#include "packet_builder.h"

namespace uvs::test {

inline DestinationSpec server(const std::string& at, ForwardingMethod method, uint32_t weight = 1) {
  const Endpoint end = endpoint(at);
  return {.family = end.family, .address = end.address, .port = end.port, .method = method, .weight = weight};
}
inline DestinationSpec nat(const std::string& at, uint32_t weight = 1) { return server(at, ForwardingMethod::kNat, weight); }
inline DestinationSpec dr(const std::string& at, uint32_t weight = 1) {
  return server(at, ForwardingMethod::kDirectRoute, weight);
}

inline ServiceSpec service(uint8_t protocol, const std::string& at, std::vector<DestinationSpec> destinations,
                           const Scheduler* scheduler = scheduler_named("rr")) {
  const Endpoint end = endpoint(at);
  ServiceSpec spec;
  spec.protocol = protocol;
  spec.family = end.family;
  spec.address = end.address;
  spec.port = end.port;
  spec.scheduler = scheduler;
  spec.destinations = std::move(destinations);
  return spec;
}
inline ServiceSpec tcp_service(const std::string& at, std::vector<DestinationSpec> destinations,
                               const Scheduler* scheduler = scheduler_named("rr")) {
  return service(kProtocolTcp, at, std::move(destinations), scheduler);
}
inline ServiceSpec udp_service(const std::string& at, std::vector<DestinationSpec> destinations,
                               const Scheduler* scheduler = scheduler_named("rr")) {
  return service(kProtocolUdp, at, std::move(destinations), scheduler);
}

// What came out: a copy of the frame with its verdict.
struct Seen {
  Verdict verdict = Verdict::kDrop;
  DropReason reason = DropReason::kNone;
  uint32_t ifindex = 0;
  Octets bytes;
  OffloadHeader offload;
  ParsedPacket packet;  // of `bytes`
};

class TestDirector {
 public:
  static constexpr uint32_t kLoopback = 1, kClientLink = 2, kServerLink = 3;
  static constexpr MacAddress kClientMac{{2, 0, 0, 0, 2, 0}}, kServerMac{{2, 0, 0, 0, 3, 0}};

  explicit TestDirector(uint32_t connections = 1024, size_t reply_buckets = 1024) : buckets_(reply_buckets) {
    DirectorOptions options;
    options.connections = connections;
    options.connection_key = {.k0 = 1, .k1 = 2};
    options.reply_buckets = buckets_;
    options.reply_key = {.k0 = 3, .k1 = 4};
    director_ = Director::create(options, neighbours);
    if (director_ == nullptr) std::abort();
    publish_view();
  }

  Director& operator*() { return *director_; }
  Director* operator->() { return director_.get(); }

  // The table must be good; `clients` is a member.
  void publish(std::vector<ServiceSpec> services, const Policy& policy = {}) {
    const TableSpec table{.services = std::move(services), .clients = clients, .policy = policy};
    if (!director_->tables().publish(table).ok()) std::abort();
    director_->adopt(now);
  }

  // The machine as it is from now on; the members say what it looks like.
  void publish_view() {
    auto view = std::make_unique<HostView>();
    view->generation = ++view_generation_;
    view->links = {{kClientLink, client_mtu, kClientMac, true, client_rules, LinkLayer::kEthernet},
                   {kServerLink, server_mtu, kServerMac, true, {}, server_layer}};
    view->has_policy_rules = has_policy_rules;
    for (const std::string& text : local_addresses) {
      const bool is_vip = text.starts_with("10.9.") || text.starts_with("fd09:");
      view->local_addresses.push_back({endpoint(text).family, address(text), is_vip ? kLoopback : kClientLink});
    }
    std::sort(view->local_addresses.begin(), view->local_addresses.end(), [](const auto& a, const auto& b) {
      return std::pair(a.family, a.address.bytes) < std::pair(b.family, b.address.bytes);
    });
    std::vector<Route> routes;
    const auto add = [&routes](const std::string& prefix, uint8_t length, uint32_t ifindex, const std::string& gateway) {
      Route route;
      route.family = endpoint(prefix).family;
      route.prefix = address(prefix);
      route.prefix_length = length;
      route.next_hops = {{.ifindex = ifindex, .is_on_link = gateway.empty(), .gateway = {}, .gateway_family = route.family}};
      if (!gateway.empty()) route.next_hops[0].gateway = address(gateway);
      routes.push_back(route);
    };
    if (has_server_route) add("10.1.0.0", 16, kServerLink, "");
    add("fd01::", 64, kServerLink, "");
    add("172.16.0.0", 16, kClientLink, "172.16.255.254");
    add("fd16::", 16, kClientLink, "fd16::fffe");
    routes.insert(routes.end(), more_routes.begin(), more_routes.end());
    view->routes = RouteTable(routes);
    director_->publish_host_view(std::move(view));
    director_->adopt(now);
  }

  // One packet in, by `ifindex`; everything that came out, held packets included once their next hop is known.
  std::vector<Seen> send(const Packet& packet, uint32_t ifindex) {
    OwnedFrame frame = packet.frame();
    frame->ifindex = ifindex;
    Batch batch;
    batch.count = 1;
    batch.frames[0] = frame;
    now++;
    director_->process(batch, now);
    std::vector<Seen> seen;
    collect(batch, seen);
    if (answers_neighbours) resolve(NeighbourState::kResolved);
    release(seen);
    return seen;
  }
  // The one thing that came of a packet from a client, or of one from a server.
  Seen from_client(const Packet& packet) { return only(send(packet, kClientLink)); }
  Seen from_server(const Packet& packet) { return only(send(packet, kServerLink)); }

  // Packets that waited for their next hop.
  void release(std::vector<Seen>& seen) {
    Batch batch;
    while (director_->release_held(batch, now)) collect(batch, seen);
  }

  // Every next hop that was asked for gets this answer; its MAC ends in the last byte of its address.
  void resolve(NeighbourState state) {
    if (!neighbours.take_requests()) return;
    for (size_t i = 0; i < neighbours.bound(); i++) {
      const auto index = static_cast<NeighbourIndex>(i);
      if (neighbours.answer(index).state != NeighbourState::kRequested) continue;
      const auto key = neighbours.key(index);
      if (key) neighbours.update(*key, state, mac_of(*key));
    }
  }

  // Moves the clock on and lets everything expire whose time has come.
  void wait(double seconds) {
    now += static_cast<Micros>(seconds * 1e6);
    while (director_->expire(now)) {
    }
  }

  std::vector<ConnectionView> connections(size_t page = 64) {
    std::vector<ConnectionView> all, rows(page);
    ConnectionCursor cursor = 0;
    do {
      size_t count = 0;
      cursor = director_->copy_connections(cursor, rows, count, now);
      all.insert(all.end(), rows.begin(), rows.begin() + static_cast<ptrdiff_t>(count));
    } while (cursor != 0);
    return all;
  }

  DestinationCounters counters(size_t service, size_t destination) {
    TableStore& tables = director_->tables();
    return tables.destination_counters(tables.newest().services[service]->destinations[destination].slot);
  }
  uint64_t drops(DropReason reason) { return director_->counters().drops[static_cast<size_t>(reason)]; }
  uint64_t verdicts(Verdict verdict) { return director_->counters().verdicts[static_cast<size_t>(verdict)]; }

  NeighbourTable neighbours{{.k0 = 5, .k1 = 6}};
  Micros now = 1'000'000'000;
  uint32_t client_mtu = 1500, server_mtu = 1500;
  Ipv4SourceRules client_rules = {};
  bool has_policy_rules = false;
  std::vector<Route> more_routes;
  std::vector<ClientPrefix> clients;
  LinkLayer server_layer = LinkLayer::kEthernet;
  bool has_server_route = true;
  bool answers_neighbours = true;
  std::vector<std::string> local_addresses = {"10.9.0.1", "fd09::1", "172.16.255.1", "fd16::ffff"};

 private:
  static MacAddress mac_of(const NeighbourKey& key) {
    const uint8_t last = key.family == Family::kIpv4 ? key.address.bytes[3] : key.address.bytes[15];
    return {{2, 9, 9, 9, 9, last}};
  }
  static Seen only(std::vector<Seen> seen) {
    if (seen.size() == 1) return seen[0];
    if (seen.size() == 2 && seen[0].verdict == Verdict::kHeld) return seen[1];
    std::abort();
  }
  void collect(Batch& batch, std::vector<Seen>& seen) {
    const auto copy = [&seen](Batch& from) {
      for (size_t i = 0; i < from.count; i++) {
        const Frame& frame = from.frames[i];
        seen.push_back({frame.verdict, frame.drop_reason, frame.egress_ifindex,
                        Octets(frame.data, frame.data + frame.length), frame.offload, parse(frame)});
      }
    };
    copy(batch);
    Batch extra;
    while (director_->take_extra(extra)) copy(extra);
  }

  std::vector<uvs_flow_bucket> buckets_;
  std::unique_ptr<Director> director_;
  uint32_t view_generation_ = 0;
};

// Which server a frame went to: the last byte of its next hop's address; 0 when it was not forwarded.
inline int server_of(const Seen& seen) { return seen.verdict == Verdict::kForward ? seen.bytes[5] : 0; }

}  // namespace uvs::test
