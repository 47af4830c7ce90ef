#include "io/steering.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "io/namespace_lock.h"
#include "io/privilege.h"
#include "io/rtnetlink.h"
#include "io/slow_path_pair.h"
#include "io/steer_attachment.h"
#include "io/steer_program.h"

namespace uvs {

namespace {

constexpr uint64_t kMinBuckets = 1024;
constexpr uint64_t kMaxBuckets = uint64_t{1} << 28;
constexpr uint8_t kPresent = 1;

// At least half a bucket (two slots) a connection, as Director::create wants it: two-choice
// insertion hardly ever fails.
uint32_t bucket_count(uint64_t connections) {
  return static_cast<uint32_t>(
      std::clamp(std::bit_ceil(std::min(connections, kMaxBuckets) / 2), kMinBuckets, kMaxBuckets));
}

// Bytes as an ordered value, for std::set and sorting.
template <typename Key>
struct ByteOrder {
  bool operator()(const Key& a, const Key& b) const { return std::memcmp(&a, &b, sizeof(Key)) < 0; }
};

// A set of keys in a BPF hash map, with a copy here so that a change touches only what differs.
template <typename Key>
class KeySet {
 public:
  explicit KeySet(int map) : map_(map) {}

  // Adds what is missing; `added` gets what that was, also when it returns an errno half-way.
  int add(const std::vector<Key>& keys, std::vector<Key>& added) {
    for (const Key& key : keys) {
      if (present_.contains(key)) continue;
      if (bpf_map_update_elem(map_, &key, &kPresent, BPF_ANY) != 0) return errno;
      present_.insert(key);
      added.push_back(key);
    }
    return 0;
  }

  void remove(const std::vector<Key>& keys) {
    for (const Key& key : keys) {
      (void)bpf_map_delete_elem(map_, &key);
      present_.erase(key);
    }
  }

  void keep_only(std::vector<Key> keys) {
    std::sort(keys.begin(), keys.end(), ByteOrder<Key>{});
    std::vector<Key> gone;
    std::set_difference(present_.begin(), present_.end(), keys.begin(), keys.end(),
                        std::back_inserter(gone), ByteOrder<Key>{});
    remove(gone);
  }

 private:
  int map_;
  std::set<Key, ByteOrder<Key>> present_;
};

// The port of a key: see UVS_SERVICE_WHAT.
bool has_every_port(const SteeringKeys& keys) {
  return std::ranges::any_of(keys.services, [](const uvs_service_key& key) { return (key.what & 0xffff) == 0; });
}

}  // namespace

uvs_service_key service_key(Family family, const IpAddress& address, uint16_t port,
                            uint8_t protocol) {
  uvs_service_key key{};
  std::memcpy(key.address, address.bytes.data(), sizeof(key.address));
  const Be16 network_port(port);
  uint16_t packet_port = 0;
  std::memcpy(&packet_port, &network_port, sizeof(packet_port));
  key.what = UVS_SERVICE_WHAT(family, protocol, packet_port);
  return key;
}

uvs_address_key address_key(Family family, const IpAddress& address, uvs_address_role role) {
  uvs_address_key key{};
  std::memcpy(key.address, address.bytes.data(), sizeof(key.address));
  key.what = UVS_ADDRESS_WHAT(family, role);
  return key;
}

// Where a program of ours stands, beside the pair's.
struct Place {
  uint32_t ifindex;
  AttachPoint point;
  auto operator<=>(const Place&) const = default;
};
struct Attached {
  std::optional<SteerAttachment> attachment;  // empty: it should be there, and could not be put back
  LinkLayer layer;
};

struct Steering::Impl {
  // Destroyed in reverse: attachments first, then the programs, the lock last.
  std::optional<NamespaceLock> namespace_lock;
  NetlinkSocket netlink;
  bool owns_pair = false;
  SlowPathPair pair;
  std::unique_ptr<SteerProgram> program;
  AttachForm form = AttachForm::kTcx;
  std::string description;
  mutable std::mutex mutex;  // guards what follows
  KeySet<uvs_service_key> services{-1};
  KeySet<uvs_address_key> addresses{-1};
  std::vector<SteerAttachment> pair_attachments;
  std::map<Place, Attached> places;
  bool steers_own_replies = false;
  std::vector<LeftoverFilter> leftovers;  // of the director before
  bool is_held = false;
  std::atomic<bool> is_reachable = true;

  explicit Impl(NetlinkSocket socket) : netlink(std::move(socket)) {}
  ~Impl() {
    if (program && program->control && !is_held) std::atomic_ref(program->control->heartbeat_ns).store(0);
    while (!places.empty()) detach(places.begin()->first.ifindex);
    pair_attachments.clear();
    if (owns_pair) (void)remove_slow_path_pair(netlink);
  }

  Status set_up(const SteeringOptions& options);
  Status choose_form(bool force_clsact);
  Status attach_pair();
  Status remake_pair();
  void set_every_port(bool has) { std::atomic_ref(program->control->has_every_port).store(has ? 1 : 0); }
  bool is_attached(uint32_t ifindex) const { return places.contains({ifindex, AttachPoint::kIngress}); }
  const SteerProgram::Form& program_for(const Place& place, LinkLayer layer) const;
  Result<SteerAttachment> make_attachment(const Place& place, LinkLayer layer) const;
  Status attach(const Place& place, LinkLayer layer);
  void detach(uint32_t ifindex);
  Status set_mac(uint32_t ifindex, const MacAddress& mac);
};

Status Steering::Impl::set_up(const SteeringOptions& options) {
  leftovers = find_leftover_filters(netlink);
  if (Status status = remove_slow_path_pair(netlink); !status.ok()) return status;
  auto loaded = SteerProgram::load(bucket_count(options.connections));
  if (!loaded.ok()) return loaded.status();
  program = std::move(loaded.value());
  services = KeySet<uvs_service_key>(program->services);
  addresses = KeySet<uvs_address_key>(program->addresses);

  program->control->bucket_mask = static_cast<uint32_t>(program->flows.size() - 1);
  if (getrandom(&program->control->key, sizeof(program->control->key), 0) < 0) {
    return errno_status(errno, "cannot get random bytes for the flow table's key");
  }
  auto made = create_slow_path_pair(netlink);
  if (!made.ok()) return made.status();
  pair = made.value();
  owns_pair = true;
  // The programs are there before the pair is up: nothing slips through meanwhile.
  if (Status status = choose_form(options.force_clsact); !status.ok()) return status;
  if (Status status = attach_pair(); !status.ok()) return status;
  program->control->slow_path_ifindex = pair.kernel_ifindex;
  return raise_slow_path_pair(netlink, pair);
}

Status Steering::Impl::choose_form(bool force_clsact) {
  if (force_clsact) {
    form = AttachForm::kClsact;
    description = "clsact filters (asked for)";
    return {};
  }
  auto probed = probe_attach_form(pair.kernel_ifindex, program->reinject);
  if (!probed.ok()) return probed.status();
  form = probed.value();
  description = form == AttachForm::kTcx ? "tcx links (they die with the process)"
                                         : "clsact filters (this kernel has no tcx: 6.6 or later)";
  return {};
}

Status Steering::Impl::attach_pair() {
  pair_attachments.clear();
  const std::pair<uint32_t, int> wanted[] = {{pair.kernel_ifindex, program->reinject},
                                             {pair.worker_ifindex, program->sink}};
  for (const auto& [ifindex, fd] : wanted) {
    auto attachment = SteerAttachment::attach(form, ifindex, fd);
    if (!attachment.ok()) return attachment.status();
    pair_attachments.push_back(std::move(attachment.value()));
  }
  return {};
}

// An end is gone: removed, or moved to another namespace. What is left goes, too (its peer with it).
Status Steering::Impl::remake_pair() {
  if (Status status = remove_slow_path_pair(netlink); !status.ok()) return status;
  auto made = create_slow_path_pair(netlink);
  if (!made.ok()) return made.status();
  pair = made.value();
  if (Status status = attach_pair(); !status.ok()) return status;
  if (Status status = raise_slow_path_pair(netlink, pair); !status.ok()) return status;
  std::atomic_ref(program->control->slow_path_ifindex).store(pair.kernel_ifindex);
  return {};
}

const SteerProgram::Form& Steering::Impl::program_for(const Place& place, LinkLayer layer) const {
  const auto& steerer = place.point == AttachPoint::kIngress ? program->steer : program->steer_out;
  return layer == LinkLayer::kNone ? steerer.ip : steerer.ethernet;
}

// A tcx link dies with the process, a clsact filter does not.
Result<SteerAttachment> Steering::Impl::make_attachment(const Place& place, LinkLayer layer) const {
  const SteerProgram::Form& wanted = program_for(place, layer);
  const int fd = form == AttachForm::kTcx ? wanted.plain : wanted.while_alive;
  return SteerAttachment::attach(form, place.ifindex, fd, place.point);
}

Status Steering::Impl::attach(const Place& place, LinkLayer layer) {
  if (places.contains(place)) return {};
  auto attachment = make_attachment(place, layer);
  if (!attachment.ok()) return attachment.status();
  places.emplace(place, Attached{std::move(attachment.value()), layer});
  return {};
}

void Steering::Impl::detach(uint32_t ifindex) {
  // In this order: the one that was first may own the clsact qdisc.
  places.erase({ifindex, AttachPoint::kEgress});
  places.erase({ifindex, AttachPoint::kIngress});
  (void)bpf_map_delete_elem(program->devices, &ifindex);
}

Status Steering::Impl::set_mac(uint32_t ifindex, const MacAddress& mac) {
  uvs_device device{};
  std::memcpy(device.mac, mac.bytes.data(), sizeof(device.mac));
  if (bpf_map_update_elem(program->devices, &ifindex, &device, BPF_ANY) == 0) return {};
  if (errno == E2BIG) return {ErrorCode::kLimitReached, "too many devices to attach to"};
  return errno_status(errno, "cannot enter a device into the steering map", "CAP_BPF");
}

Result<std::unique_ptr<Steering>> Steering::start(const SteeringOptions& options) {
  if (Status status = check_capabilities(); !status.ok()) return status;
  auto lock = NamespaceLock::take(kRunDirectory, options.patience);
  if (!lock.ok()) return lock.status();
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  auto impl = std::make_unique<Impl>(std::move(netlink.value()));
  impl->namespace_lock.emplace(std::move(lock.value()));
  if (Status status = impl->set_up(options); !status.ok()) return status;
  return std::unique_ptr<Steering>(new Steering(std::move(impl)));
}

Steering::Steering(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Steering::~Steering() = default;

Status Steering::attach(uint32_t ifindex, const MacAddress& mac, LinkLayer layer) {
  const std::lock_guard lock(impl_->mutex);
  if (ifindex == impl_->pair.kernel_ifindex || ifindex == impl_->pair.worker_ifindex) {
    return {ErrorCode::kIo, "uvs0 and uvs1 are the director's own and can't be attached to"};
  }
  // First the MAC: a redirected packet may come back from the worker at once.
  if (Status status = impl_->set_mac(ifindex, mac); !status.ok()) return status;
  Status status = impl_->attach({ifindex, AttachPoint::kIngress}, layer);
  if (status.ok() && impl_->steers_own_replies)
    status = impl_->attach({ifindex, AttachPoint::kEgress}, layer);
  if (!status.ok()) impl_->detach(ifindex);
  return status;
}

Status Steering::steer_own_replies() {
  const std::lock_guard lock(impl_->mutex);
  impl_->steers_own_replies = true;
  std::map<uint32_t, LinkLayer> devices;
  for (const auto& [place, attached] : impl_->places) devices.emplace(place.ifindex, attached.layer);
  for (const auto& [ifindex, layer] : devices) {
    if (Status status = impl_->attach({ifindex, AttachPoint::kEgress}, layer); !status.ok())
      return status;
  }
  return {};
}

void Steering::detach(uint32_t ifindex) {
  const std::lock_guard lock(impl_->mutex);
  impl_->detach(ifindex);
}

Status Steering::leave_held() {
  const std::lock_guard lock(impl_->mutex);
  impl_->is_held = true;
  Status failed;
  for (const auto& [place, attached] : impl_->places) {
    const int steer = impl_->program_for(place, attached.layer).plain;
    auto held = SteerAttachment::attach(AttachForm::kClsact, place.ifindex, steer, place.point);
    if (held.ok()) {
      held.value().leave();
    } else {
      failed = held.status();
    }
  }
  return failed;
}

Status Steering::settle() {
  const std::lock_guard lock(impl_->mutex);
  return remove_filters(std::exchange(impl_->leftovers, {}));
}

Status Steering::change_mac(uint32_t ifindex, const MacAddress& mac) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->is_attached(ifindex) ? impl_->set_mac(ifindex, mac) : Status{};
}

bool Steering::is_attached(uint32_t ifindex) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->is_attached(ifindex);
}

Status Steering::cover(const SteeringKeys& keys) {
  const std::lock_guard lock(impl_->mutex);
  std::vector<uvs_service_key> services;
  std::vector<uvs_address_key> addresses;
  int error = impl_->services.add(keys.services, services);
  if (error == 0) error = impl_->addresses.add(keys.addresses, addresses);
  if (error == 0) {
    if (has_every_port(keys)) impl_->set_every_port(true);
    return {};
  }
  impl_->services.remove(services);
  impl_->addresses.remove(addresses);
  if (error == E2BIG) {
    return {ErrorCode::kLimitReached,
            "too many services: the steering map holds " + std::to_string(kMaxServices)};
  }
  return errno_status(error, "cannot enter services into the steering map", "CAP_BPF");
}

void Steering::restrict_to(const SteeringKeys& keys) {
  const std::lock_guard lock(impl_->mutex);
  impl_->services.keep_only(keys.services);
  impl_->set_every_port(has_every_port(keys));
  impl_->addresses.keep_only(keys.addresses);
}

std::span<uvs_flow_bucket> Steering::flow_buckets() { return impl_->program->flows; }
const uvs_hash_key& Steering::flow_key() const { return impl_->program->control->key; }

void Steering::set_heartbeat(uint64_t now_ns) {
  if (now_ns != 0 && !impl_->is_reachable.load(std::memory_order_relaxed)) return;
  std::atomic_ref(impl_->program->control->heartbeat_ns).store(now_ns, std::memory_order_relaxed);
}

uint32_t Steering::receive_ifindex() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->pair.worker_ifindex;
}

void Steering::check_reachable(bool is_listening) {
  const std::lock_guard lock(impl_->mutex);
  const PairState state = inspect_slow_path_pair(impl_->netlink, impl_->pair);
  impl_->is_reachable = is_listening && state.is_whole && state.is_up;
}

std::vector<Deviation> Steering::deviations() {
  Impl& impl = *impl_;
  const std::lock_guard lock(impl.mutex);
  std::vector<Deviation> found;
  const auto locked = [&impl](auto put_back) {
    return [&impl, put_back]() -> Result<bool> {
      const std::lock_guard again(impl.mutex);
      const Status done = put_back();
      if (!done.ok()) return done;
      return true;
    };
  };
  const PairState state = inspect_slow_path_pair(impl.netlink, impl.pair);
  if (!state.is_whole) {
    // Attachments of the pair are made with it.
    found.push_back({"the pair uvs0/uvs1", "is gone", locked([&impl] { return impl.remake_pair(); })});
  } else {
    const char* names[2] = {kKernelEnd, kWorkerEnd};
    for (size_t end = 0; end < 2; end++) {
      if (state.changes[end].empty()) continue;
      found.push_back({names[end], state.changes[end],
                       locked([&impl, end] { return restore_pair_end(impl.netlink, impl.pair, end); })});
    }
    const auto in_place = [](const SteerAttachment& attachment) { return attachment.is_in_place(); };
    if (impl.pair_attachments.size() != 2 || !std::ranges::all_of(impl.pair_attachments, in_place))
      found.push_back({"a program on uvs0/uvs1", "is gone", locked([&impl] { return impl.attach_pair(); })});
  }
  for (const auto& [place, attached] : impl.places) {
    if (attached.attachment && attached.attachment->is_in_place()) continue;
    char name[IF_NAMESIZE];
    // Gone, or in another namespace: who follows the devices hears of it.
    if (if_indextoname(place.ifindex, name) == nullptr) continue;
    const char* what = place.point == AttachPoint::kIngress ? "the program on " : "the program at the egress of ";
    found.push_back({std::string(what) + name, "is gone",
                     locked([&impl, place = place]() -> Status {
                       const auto found = impl.places.find(place);
                       if (found == impl.places.end()) return {};  // detached meanwhile: the director stops
                       Attached& again = found->second;
                       // The old one first: a new filter may get its number.
                       again.attachment.reset();
                       auto made = impl.make_attachment(place, again.layer);
                       if (!made.ok()) return made.status();
                       again.attachment = std::move(made.value());
                       return {};
                     })});
  }
  return found;
}

SteeringCounters Steering::counters() const {
  SteeringCounters counters;
  {
    const std::lock_guard lock(impl_->mutex);
    counters.lost_in_pair = count_lost_in_pair(impl_->netlink, impl_->pair);
  }
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return counters;
  std::vector<uint64_t> per_cpu(static_cast<size_t>(cpus));
  for (uint32_t which = 0; which < UVS_STEER_COUNTERS; which++) {
    if (bpf_map_lookup_elem(impl_->program->counters, &which, per_cpu.data()) != 0) continue;
    for (const uint64_t value : per_cpu) counters.values[which] += value;
  }
  return counters;
}

const std::string& Steering::description() const { return impl_->description; }

}  // namespace uvs
