#include "dataplane/machine.h"

#include <arpa/inet.h>
#include <sys/random.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "host/links.h"
#include "host/routes.h"
#include "io/monotonic_clock.h"

namespace uvs {
namespace {

// What a director that was told to end may still need once its control socket is gone.
constexpr Micros kPatience = 5 * kMicrosPerSecond;

Result<uvs_hash_key> random_key() {
  uvs_hash_key key;
  if (getrandom(&key, sizeof(key), 0) != sizeof(key)) return errno_status(errno, "no random key");
  return key;
}

std::string text_of(Family family, const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  (void)inet_ntop(family == Family::kIpv4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof(text));
  return text;
}

// A standby service's packets are the host's; the replies of connections that it still has are ours.
SteeringKeys keys_of(const TableSpec& table) {
  SteeringKeys keys;
  for (const ServiceSpec& service : table.services) {
    if (!service.is_standby) {
      keys.services.push_back(service_key(service.family, service.address, service.port, service.protocol));
      keys.addresses.push_back(address_key(service.family, service.address, UVS_ADDRESS_FRAGMENTS_TO));
    }
    for (const DestinationSpec& destination : service.destinations) {
      if (destination.method != ForwardingMethod::kNat) continue;
      keys.addresses.push_back(address_key(destination.family, destination.address, UVS_ADDRESS_FRAGMENTS_FROM));
    }
  }
  for (const ClosedAddress& closed : table.closed) {
    keys.addresses.push_back(address_key(closed.family, closed.address, UVS_ADDRESS_CLOSED));
  }
  return keys;
}

std::vector<LocalAddress> nat_servers_of(const TableSpec& table) {
  std::vector<LocalAddress> servers;
  for (const ServiceSpec& service : table.services) {
    for (const DestinationSpec& destination : service.destinations) {
      if (destination.method == ForwardingMethod::kNat) servers.push_back({destination.family, destination.address, 0});
    }
  }
  return servers;
}

}  // namespace

Result<std::shared_ptr<Machine>> Machine::start(const MachineOptions& options, OnEvent on_event) {
  const Result<uvs_hash_key> key = random_key();
  if (!key.ok()) return key.status();
  std::shared_ptr<Machine> machine(new Machine(std::move(on_event), key.value()));
  Status opened = machine->open(options);
  if (!opened.ok()) {
    machine->stop();
    return opened;
  }
  return machine;
}

Status Machine::open(const MachineOptions& options) {
  const char* form = std::getenv("UVS_STEERING");
  const bool is_clsact_wanted = form != nullptr && std::string_view(form) == "clsact";
  Result<std::unique_ptr<Steering>> steering = Steering::start({options.connections, is_clsact_wanted, kPatience});
  if (!steering.ok()) return steering.status();
  steering_ = std::move(steering.value());
  steering_description_ = steering_->description();

  Result<std::unique_ptr<AfPacket>> io = AfPacket::open(steering_->receive_ifindex());
  if (!io.ok()) return io.status();
  io_ = std::move(io.value());

  Result<uvs_hash_key> key = random_key();
  if (!key.ok()) return key.status();
  director_ = Director::create(
      {options.connections, key.value(), steering_->flow_buckets(), steering_->flow_key()}, neighbours_);
  if (!director_) return {ErrorCode::kLimitReached, "connections is out of range or there is no address space for them"};

  connection_file_ = options.connection_file;
  Status swept = remove_leftover_addresses({});
  if (!swept.ok()) return swept;
  Result<std::unique_ptr<MachineWatch>> watch =
      MachineWatch::start({.interfaces = options.interfaces, .look_after_ours = [this] { look_after_ours(); }},
                          neighbours_, *steering_, *this);
  if (!watch.ok()) return watch.status();
  watch_ = std::move(watch.value());

  WorkerOptions worker;
  worker.cpu = options.cpu;
  worker.steering = steering_.get();
  worker.resolver_descriptor = watch_->wake_descriptor();
  worker.on_limit = [this](const LimitInfo& limit) { limit_reached(limit.name, limit.text); };
  worker.on_failure = [this](std::string message) { failed(message); };
  worker_ = std::make_unique<Worker>(*director_, *io_, worker);
  port_ = std::make_unique<ControlPort>(*director_, *worker_, steer());
  waiting_worker_ = worker_.get();
  return worker_->start();
}

ControlPort::Steer Machine::steer() {
  ControlPort::Steer steer{
      .before =
          [this](const TableSpec& table) {
            Status status = check_ways(table);
            if (!status.ok()) return status;
            {
              const std::lock_guard lock(servers_mutex_);
              nat_servers_ = nat_servers_of(table);
            }
            status = steer_own_replies(local_addresses());
            return status.ok() ? steering_->cover(keys_of(table)) : status;
          },
      .after = [this](const TableSpec& table) { steering_->restrict_to(keys_of(table)); },
      .take_up = nullptr,
  };
  if (connection_file_.empty()) return steer;
  auto file = ConnectionFile::take(connection_file_);
  if (!file.ok()) {
    warning(file.status().message);
  } else if (file.value()) {
    steer.take_up = [this, taken = std::shared_ptr(std::move(file.value()))] { take_up(*taken); };
  }
  return steer;
}

void Machine::take_up(ConnectionFile& file) {
  AdoptCounts counts{};
  for (;;) {
    std::vector<ConnectionView> page = file.next(kConnectionsAtOnce);
    if (page.empty()) break;
    if (Status status = port_->adopt(std::move(page), counts); !status.ok()) return warning(status.message);
  }
  const auto adopted = static_cast<size_t>(AdoptOutcome::kAdopted);
  std::string told = std::to_string(counts[adopted]) + " connections of the director before are taken up";
  for (size_t i = 0; i < kAdoptOutcomeCount; i++) {
    if (i == adopted || counts[i] == 0) continue;
    told += "; " + std::to_string(counts[i]) + " are not: " + text(static_cast<AdoptOutcome>(i));
  }
  if (file.malformed() != 0) told += "; " + std::to_string(file.malformed()) + " are not: they are none";
  on_event_({MachineEvent::Kind::kTakenUp, "", told});
}

// A server behind a device that we can't send by gets no packet: that ends a start. Later it is told
// only, since a route that has moved may not keep the rest of a change from taking effect.
Status Machine::check_ways(const TableSpec& table) {
  const bool is_start = !std::exchange(has_checked_, true);
  Result<NetlinkSocket> netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  const std::vector<DeviceState> devices = watch_->devices();
  const auto checked_before = std::exchange(checked_servers_, {});
  for (const ServiceSpec& service : table.services) {
    for (const DestinationSpec& server : service.destinations) {
      const auto [checked, is_new] = checked_servers_.emplace(server.family, server.address.bytes);
      if (!is_new || checked_before.contains(*checked)) continue;
      const uint32_t ifindex = device_towards(netlink.value(), server.family, server.address);
      const auto device = std::find_if(devices.begin(), devices.end(), [&](const DeviceState& state) {
        return state.ifindex == ifindex && state.layer == LinkLayer::kOther;
      });
      if (device == devices.end()) continue;
      std::string text = "real server " + text_of(server.family, server.address) +
                         " can't be served: the way there is the device " + device->name + ", and " + kUnservable +
                         "; route it by another device or remove it";
      if (is_start) return {ErrorCode::kDeviceUnsupported, std::move(text)};
      warning(text);
    }
  }
  return {};
}

// While the pair is broken and can't be put back nothing may be steered into it: without heartbeats what is ours is
// dropped for a while, then the host has it.
void Machine::look_after_ours() {
  for (const CustodyOutcome& outcome : custody_.look(steering_->deviations(), monotonic_now())) {
    if (outcome.is_new) warning(outcome.text);
  }
  const Status listening = io_->listen_at(steering_->receive_ifindex());
  if (!listening.ok()) warning(listening.message);
  steering_->check_reachable(listening.ok());
}

Machine::~Machine() { stop(); }

void Machine::stop(bool is_restart) {
  if (is_restart && worker_ && steering_) {
    // Dropped from here on; the worker drains what it has.
    worker_->hold();
    if (Status held = steering_->leave_held(); !held.ok())
      warning("packets go to the host until the next start: " + held.message);
  } else if (watch_ && steering_) {
    // Devices first: from then on the kernel keeps what comes, and the worker drains what it has.
    for (const DeviceState& device : watch_->devices()) steering_->detach(device.ifindex);
  }
  if (worker_) worker_->stop();
  if (director_ && worker_ && !connection_file_.empty()) {
    if (Status written = write_connections(connection_file_, *director_); !written.ok()) warning(written.message);
  }
  watch_.reset();
  port_.reset();
  worker_.reset();
  director_.reset();
  io_.reset();
  steering_.reset();
}

std::vector<DropCount> Machine::drops() const {
  const SteeringCounters steered = steering_->counters();
  const IoCounters& io = io_->counters();
  return {
      {"closed_address", "for this host itself, at a virtual address that it accepts nothing for",
       steered.values[UVS_STEER_CLOSED]},
      {"worker_late", "the director stood still: for ten seconds at most nobody answers in its place",
       steered.values[UVS_STEER_LATE]},
      {"slow_path_full", "the kernel's queue before the worker was full (net.core.netdev_max_backlog)",
       steered.lost_in_pair},
      {"receive_ring_full", "the worker was too slow: its ring was full, or a large frame found no memory",
       io.receive_lost.get()},
      {"receive_untagged", "a frame came into the slow path that steering had not put there", io.receive_untagged.get()},
      {"transmit_failed", "the kernel or the device refused the frame", io.transmit_failed.get()},
      {"reinjection_refused", "what the worker gave back to the host was for a device that is not attached",
       steered.values[UVS_STEER_REFUSED]},
  };
}

std::vector<DropCount> Machine::passes() const {
  const SteeringCounters steered = steering_->counters();
  return {
      {"no_worker", "the director had not begun, or stood still for more than ten seconds",
       steered.values[UVS_STEER_STALE]},
      {"vlan_tagged", "the frame has a VLAN id: it is for the VLAN's own device",
       steered.values[UVS_STEER_TAGGED]},
  };
}

std::vector<DeviceState> Machine::devices() const { return watch_->devices(); }

std::vector<LocalAddress> Machine::local_addresses() const {
  return watch_->local_addresses();
}

void Machine::host_view(std::unique_ptr<const HostView> view) { director_->publish_host_view(std::move(view)); }

void Machine::device_attached(const DeviceState& device) {
  on_event_({MachineEvent::Kind::kDeviceAttached, device.name, ""});
}

void Machine::device_detached(const DeviceState& device, const std::string& reason) {
  on_event_({MachineEvent::Kind::kDeviceDetached, device.name, reason});
}

// A server behind NAT that is this machine itself replies through the stack. Asked before the worker
// can hear of the table or of the address.
Status Machine::steer_own_replies(const std::vector<LocalAddress>& addresses) {
  const std::lock_guard lock(servers_mutex_);
  if (nat_servers_.empty()) return {};
  for (const LocalAddress& local : addresses) {
    const auto is_it = [&local](const LocalAddress& server) {
      return server.family == local.family && server.address == local.address;
    };
    if (std::any_of(nat_servers_.begin(), nat_servers_.end(), is_it)) return steering_->steer_own_replies();
  }
  return {};
}

// `watch_` may not be asked here: while it ends its thread still tells us, and there is none any more.
void Machine::addresses_changed(const std::vector<LocalAddress>& addresses) {
  if (const Status status = steer_own_replies(addresses); !status.ok()) warning(status.message);
  on_event_({MachineEvent::Kind::kAddressesChanged, "", ""});
}

void Machine::neighbours_changed() {
  if (Worker* worker = waiting_worker_) worker->wake();
}

void Machine::warning(const std::string& message) { on_event_({MachineEvent::Kind::kWarning, "", message}); }

void Machine::limit_reached(const std::string& limit, const std::string& message) {
  on_event_({MachineEvent::Kind::kLimit, limit, message});
}

void Machine::failed(const std::string& message) { on_event_({MachineEvent::Kind::kFailed, "", message}); }

}  // namespace uvs
