#include "host/machine_watch.h"

#include <linux/netconf.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>

#include "host/addresses.h"
#include "host/device_watch.h"
#include "host/links.h"
#include "host/neighbours.h"
#include "host/route_mirror.h"
#include "host/routes.h"
#include "io/file_descriptor.h"
#include "io/monotonic_clock.h"
#include "io/quiet_thread.h"
#include "io/rtnetlink.h"

namespace uvs {

namespace {

// A change rarely comes alone (a device that comes up brings addresses and routes): wait for the
// rest of it.
constexpr Micros kCoalesce = 10'000;
// Routes may be many, and a dump of them is not asked for without end: at most this part of the time
// goes into it. The rest comes after a dump, not before: what happens in quiet times is seen at once.
constexpr Micros kDumpShare = 10;
// Changes that were taken up from their events are held against a dump, should one have been
// misunderstood.
constexpr Micros kVerifyInterval = 60 * kMicrosPerSecond;
constexpr Micros kSweepInterval = 250'000;
// As long as no next hop was ever asked for: the first one wakes us.
constexpr Micros kIdleSweepInterval = 2 * kMicrosPerSecond;
// The kernel tells nobody of a changed accept_local or route_localnet: they are read again.
constexpr Micros kSettingsInterval = 2 * kMicrosPerSecond;

constexpr unsigned kEventGroups[] = {RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                     RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
                                     RTNLGRP_IPV6_RULE,  RTNLGRP_NEIGH,       RTNLGRP_NEXTHOP,
                                     RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF, RTNLGRP_TC};

// What has to be dumped again; routes have a time of their own.
struct PendingDumps {
  bool links = false, addresses = false, rules = false, neighbours = false;

  bool any() const { return links || addresses || rules || neighbours; }
  static PendingDumps all() { return {true, true, true, true}; }
};

constexpr uint32_t kLowerUp = 1 << 16;  // IFF_LOWER_UP, which <net/if.h> lacks
constexpr uint32_t kRouteFlags = IFF_UP | IFF_RUNNING | kLowerUp;
// Of a device: when it loses one of them the kernel may remove routes without a word, or take legs of
// theirs for dead, and revives those when it is back.
struct RouteFlags {
  uint32_t now = 0;
  bool were_lost = false;  // at some time
};

bool are_equal(const std::vector<AddressRecord>& a, const std::vector<AddressRecord>& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(), [](const AddressRecord& x, const AddressRecord& y) {
        return x.local.family == y.local.family && x.local.address == y.local.address &&
               x.local.ifindex == y.local.ifindex && x.local.prefix_length == y.local.prefix_length;
      });
}

}  // namespace

struct MachineWatch::Impl {
  NetlinkSocket events_socket;     // what changes
  NetlinkSocket requests_socket;   // dumps
  NetlinkSocket questions_socket;  // neighbours, sends only
  HostEvents& events;
  DeviceWatch watch;
  NeighbourResolver resolver;
  FileDescriptor wakeup{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::atomic<bool> is_stopping = false;
  std::thread thread;

  const std::function<void()> look_after_ours;
  const Micros look_interval;
  Micros looked_at = 0;
  Micros look_at = 0;  // when to look after what is ours

  PendingDumps dirt = PendingDumps::all();
  Micros refresh_at = 0;  // 0: nothing is due
  Micros routes_at = 0;   // when all routes are dumped; 0: no reason to
  Micros routes_rest_until = 0;
  int interrupted_dumps = 0;  // in a row
  RouteMirror routes;
  std::map<uint32_t, RouteFlags> route_flags;  // by ifindex, as of the last event
  uint32_t generation = 0;
  bool is_view_due = true;  // also when what came after the change could not be read
  std::vector<LinkRecord> links;
  std::vector<AddressRecord> addresses;
  bool has_policy_rules = false;
  std::set<std::string> reported_warnings;

  mutable std::mutex mutex;  // guards what other threads read
  std::vector<DeviceState> published_devices;
  std::vector<LocalAddress> published_addresses;

  Impl(NetlinkSocket an_events_socket, NetlinkSocket a_requests_socket,
       NetlinkSocket a_questions_socket, NetlinkSocket an_objects_socket, const MachineWatchOptions& options,
       NeighbourTable& neighbours, DeviceFollower& follower, HostEvents& some_events)
      : events_socket(std::move(an_events_socket)),
        requests_socket(std::move(a_requests_socket)),
        questions_socket(std::move(a_questions_socket)),
        events(some_events),
        watch(options.interfaces, follower, some_events),
        resolver(neighbours),
        look_after_ours(options.look_after_ours),
        look_interval(options.look_interval),
        routes(std::move(an_objects_socket)) {}

  // At once; in a storm of changes not after each.
  void look_soon() { look_at = std::min(look_at, looked_at + kCoalesce); }
  void warn_once(const std::string& message) {
    if (reported_warnings.insert(message).second) events.warning(message);
  }
  Status refresh(Micros now);
  Status refresh_small();
  void dump_routes_at(Micros at);
  void note_link(const NetlinkMessage& message);
  Status refresh_links();
  Status refresh_addresses();
  Status refresh_routes();
  Status refresh_rules();
  void publish_view();
  void note(const NetlinkMessage& message, bool& has_answered);
  bool read_events();
  int wait_ms(Micros now, Micros sweep_at) const;
  void loop();
};

Status MachineWatch::Impl::refresh_links() {
  auto dumped = dump_links(requests_socket);
  if (!dumped.ok()) return dumped.status();
  is_view_due |= dumped.value() != links;
  links = std::move(dumped.value());
  watch.update(links);
  const std::lock_guard lock(mutex);
  published_devices = watch.states();
  return {};
}

Status MachineWatch::Impl::refresh_addresses() {
  auto dumped = dump_addresses(requests_socket);
  if (!dumped.ok()) return dumped.status();
  std::ranges::sort(dumped.value(), {}, [](const AddressRecord& record) {
    return std::tie(record.local.family, record.local.address.bytes, record.local.ifindex);
  });
  if (are_equal(dumped.value(), addresses)) return {};
  is_view_due = true;
  addresses = std::move(dumped.value());
  std::vector<LocalAddress> local;
  for (const AddressRecord& record : addresses) local.push_back(record.local);
  {
    const std::lock_guard lock(mutex);
    published_addresses = local;
  }
  events.addresses_changed(local);
  return {};
}

Status MachineWatch::Impl::refresh_routes() {
  const Micros started = monotonic_now();
  routes_at = 0;
  bool is_whole = true;
  if (Status status = routes.dump(requests_socket, is_whole); !status.ok()) return status;
  for (const std::string& warning : routes.warnings()) warn_once(warning);
  const Micros ended = monotonic_now();
  routes_rest_until = ended + (ended - started) * kDumpShare;
  // After some attempts the events alone tell what changed meanwhile.
  interrupted_dumps = is_whole ? 0 : interrupted_dumps + 1;
  if (interrupted_dumps == NetlinkSocket::kDumpAttempts) interrupted_dumps = 0;
  if (interrupted_dumps != 0) dump_routes_at(ended);
  return {};
}

void MachineWatch::Impl::dump_routes_at(Micros at) {
  at = std::max(at, routes_rest_until);
  if (routes_at == 0 || at < routes_at) routes_at = at;
}

Status MachineWatch::Impl::refresh_rules() {
  const auto warnings = dump_policy_rules(requests_socket);
  if (!warnings.ok()) return warnings.status();
  for (const std::string& warning : warnings.value()) warn_once(warning);
  if (has_policy_rules == !warnings.value().empty()) return {};
  is_view_due = true;
  has_policy_rules = !has_policy_rules;
  if (has_policy_rules) routes.note_policy_rules();
  return {};
}

Status MachineWatch::Impl::refresh_small() {
  const PendingDumps due = std::exchange(dirt, {});
  if (due.links) {
    if (Status status = refresh_links(); !status.ok()) return status;
  }
  if (due.addresses) {
    if (Status status = refresh_addresses(); !status.ok()) return status;
  }
  if (due.rules) {
    if (Status status = refresh_rules(); !status.ok()) return status;
  }
  if (due.neighbours) {
    bool has_answered = false;
    if (Status status = resolver.dump(requests_socket, monotonic_now(), has_answered); !status.ok()) return status;
    if (has_answered) events.neighbours_changed();
  }
  return {};
}

// Dumps what is dirty, tells who must hear of it, publishes a view when anything in it is new: first
// with what is quickly known.
Status MachineWatch::Impl::refresh(Micros now) {
  refresh_at = 0;
  if (Status status = refresh_small(); !status.ok()) return status;
  const bool is_first = generation == 0;
  if (!is_first && (is_view_due || routes.has_changed())) publish_view();
  if (routes_at != 0 && routes_at <= now) {
    if (Status status = refresh_routes(); !status.ok()) return status;
    if (is_first || routes.has_changed()) publish_view();
  }
  return {};
}

void MachineWatch::Impl::publish_view() {
  is_view_due = false;
  auto view = std::make_unique<HostView>();
  view->generation = ++generation;
  view->routes = routes.table();
  view->has_policy_rules = has_policy_rules;
  for (const LinkRecord& record : links) view->links.push_back(record.link);
  for (const AddressRecord& record : addresses) view->local_addresses.push_back(record.local);
  events.host_view(std::move(view));
}

void MachineWatch::Impl::note_link(const NetlinkMessage& message) {
  const auto* body = message.body<ifinfomsg>();
  if (!body || body->ifi_family != AF_UNSPEC) return;  // else of a bridge's port: nothing of the device
  const auto ifindex = static_cast<uint32_t>(body->ifi_index);
  const uint32_t flags = message.type == RTM_NEWLINK ? body->ifi_flags & kRouteFlags : 0;
  const auto [known, is_new] = route_flags.try_emplace(ifindex, RouteFlags{flags, false});
  RouteFlags& before = known->second;
  // A new device has no routes to lose. One that was here before us may have lost some.
  const bool has_lost = is_new ? find_link(links, ifindex) != nullptr : (before.now & ~flags) != 0;
  const bool has_gained = (flags & ~before.now) != 0;
  if (has_lost || (has_gained && before.were_lost)) dump_routes_at(monotonic_now() + kCoalesce);
  before = {flags, before.were_lost || has_lost};
  if (message.type == RTM_DELLINK) route_flags.erase(known);
}

void MachineWatch::Impl::note(const NetlinkMessage& message, bool& has_answered) {
  const Micros soon = monotonic_now() + kCoalesce;
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      dirt.links = true;
      note_link(message);
      look_soon();
      break;
    case RTM_DELTFILTER:
    case RTM_DELQDISC:  // and its filters with it
      look_soon();
      break;
    case RTM_NEWNETCONF:
      dirt.links = true;
      // Routes die and come back with it, and no event of theirs tells. A new device tells all of its settings at
      // once, and has no routes.
      if (const auto settings = message.attributes<netconfmsg>();
          settings.find(NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN) && !settings.find(NETCONFA_FORWARDING)) {
        dump_routes_at(soon);
      }
      break;
    case RTM_NEWADDR:
      dirt.addresses = true;
      break;
    case RTM_DELADDR:
      dirt.addresses = true;
      dump_routes_at(soon);  // those with it as their source went without a word
      break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      dump_routes_at(soon + (routes.apply(message) ? kVerifyInterval : 0));
      break;
    case RTM_NEWNEXTHOP:
      if ((message.flags & NLM_F_REPLACE) != 0) dump_routes_at(soon);
      break;
    case RTM_DELNEXTHOP:
      dump_routes_at(soon);
      break;
    case RTM_NEWRULE:
    case RTM_DELRULE:
      dirt.rules = true;
      break;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      has_answered |= resolver.apply(message, monotonic_now());
      break;
    default:
      break;
  }
}

// False: the socket has failed for good.
bool MachineWatch::Impl::read_events() {
  bool has_answered = false;
  const int error =
      events_socket.drain([&](const NetlinkMessage& message) { note(message, has_answered); });
  if (has_answered) events.neighbours_changed();
  const Micros soon = monotonic_now() + kCoalesce;
  if (error == ENOBUFS) {  // events are lost: what they told is in the tables still
    dirt = PendingDumps::all();
    dump_routes_at(soon);
  } else if (error != 0) {
    events.failed(errno_status(error, "cannot follow the machine's network configuration").message);
    return false;
  }
  routes.settle();
  if (refresh_at == 0 && (dirt.any() || routes.has_changed() || is_view_due)) refresh_at = soon;
  return true;
}

int MachineWatch::Impl::wait_ms(Micros now, Micros sweep_at) const {
  Micros until = sweep_at;
  for (const Micros at : {refresh_at, routes_at}) {
    if (at != 0) until = std::min(until, at);
  }
  if (look_after_ours) until = std::min(until, look_at);
  return until <= now ? 0 : static_cast<int>((until - now + 999) / 1000);
}

void MachineWatch::Impl::loop() {
  if (!read_events()) return;
  Micros sweep_at = 0;
  Micros settings_at = monotonic_now() + kSettingsInterval;
  while (!is_stopping.load(std::memory_order_acquire)) {
    Micros now = monotonic_now();
    if (settings_at <= now) {
      dirt.links = true;
      if (refresh_at == 0) refresh_at = now;
      settings_at = now + kSettingsInterval;
    }
    // Before the dumps, which may take their time.
    if (look_after_ours && look_at <= now) {
      looked_at = now;
      look_at = now + look_interval;
      look_after_ours();
    }
    if ((refresh_at != 0 && refresh_at <= now) || (routes_at != 0 && routes_at <= now)) {
      if (const Status status = refresh(now); !status.ok()) {
        warn_once(status.message);
        dirt = PendingDumps::all();
        refresh_at = now + kMicrosPerSecond;
        dump_routes_at(refresh_at);
      }
      if (!read_events()) return;  // those that may be of before a dump
    }
    if (sweep_at <= now) {
      if (resolver.sweep(questions_socket, now)) events.neighbours_changed();
      sweep_at = now + (resolver.is_idle() ? kIdleSweepInterval : kSweepInterval);
    }
    pollfd watched[2] = {{events_socket.descriptor(), POLLIN, 0}, {wakeup.get(), POLLIN, 0}};
    if (poll(watched, 2, wait_ms(monotonic_now(), sweep_at)) <= 0) continue;
    if (watched[1].revents != 0) {
      eventfd_t count;
      (void)eventfd_read(wakeup.get(), &count);
      sweep_at = 0;  // somebody waits for a next hop
    }
    if (watched[0].revents != 0 && !read_events()) return;
  }
}

Result<std::unique_ptr<MachineWatch>> MachineWatch::start(const MachineWatchOptions& options,
                                                NeighbourTable& neighbours,
                                                DeviceFollower& follower, HostEvents& events) {
  // Events are asked for before the first dump, so that nothing is missed between.
  auto events_socket = NetlinkSocket::open(kEventGroups, options.event_buffer_bytes);
  if (!events_socket.ok()) return events_socket.status();
  auto requests_socket = NetlinkSocket::open();
  if (!requests_socket.ok()) return requests_socket.status();
  auto questions_socket = NetlinkSocket::open();
  if (!questions_socket.ok()) return questions_socket.status();
  auto objects_socket = NetlinkSocket::open();
  if (!objects_socket.ok()) return objects_socket.status();
  auto impl = std::make_unique<Impl>(
      std::move(events_socket.value()), std::move(requests_socket.value()), std::move(questions_socket.value()),
      std::move(objects_socket.value()), options, neighbours, follower, events);
  if (!impl->wakeup.is_open())
    return errno_status(errno, "cannot make the event that wakes housekeeping");
  const Micros now = monotonic_now();
  impl->dump_routes_at(now);
  if (Status status = impl->refresh(now); !status.ok()) return status;
  if (const std::string missing = impl->watch.missing(); !missing.empty()) {
    return Status{ErrorCode::kDeviceMissing,
                  "there is no device " + missing + " (named in `interface`)"};
  }
  std::unique_ptr<MachineWatch> watch(new MachineWatch(std::move(impl)));
  watch->impl_->thread =
      start_quiet_thread("uvs-host", [running = watch->impl_.get()] { running->loop(); });
  return watch;
}

MachineWatch::MachineWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

MachineWatch::~MachineWatch() {
  if (!impl_->thread.joinable()) return;
  impl_->is_stopping.store(true, std::memory_order_release);
  (void)eventfd_write(impl_->wakeup.get(), 1);
  impl_->thread.join();
}

std::vector<DeviceState> MachineWatch::devices() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->published_devices;
}

std::vector<LocalAddress> MachineWatch::local_addresses() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->published_addresses;
}

int MachineWatch::wake_descriptor() const { return impl_->wakeup.get(); }

}  // namespace uvs
