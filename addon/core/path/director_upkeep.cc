// What a director does between two batches: takes up tables and host views, ends connections, lists
// and counts. Each call is bounded, because packets wait meanwhile.
#include <algorithm>
#include <bit>

#include "core/path/director_impl.h"

namespace uvs {

namespace {

// Connections looked at in one expire(): some 100 us.
constexpr uint32_t kExpireBudget = 1024;
// Records looked at in one copy_connections().
constexpr uint32_t kCopyBudget = 65'536;
// Destinations looked at in one adopt() after the machine's addresses changed.
constexpr size_t kLocalBudget = 8192;

constexpr std::array<LimitInfo, static_cast<size_t>(Limit::kCount)> kLimits = {{
    {Limit::kConnections, "connections",
     "the connection table is full of confirmed connections: new ones are dropped"},
    {Limit::kUnconfirmed, "unconfirmed_connections",
     "half-open and one-packet connections fill their part of the table: they end early, one for each new one"},
    {Limit::kReplyMap, "replies",
     "the map of expected replies is full: new NAT connections are dropped"},
    {Limit::kFragments, "fragments",
     "too many fragmented packets are under way, or wait for their first fragment: the oldest are lost"},
    {Limit::kHoldQueue, "held_packets",
     "too many packets wait for unresolved next hops: more are dropped"},
    {Limit::kNextHops, "next_hops",
     "the neighbour table is full: packets to new next hops are dropped"},
}};

Timeouts timeouts_of(const Policy& policy) {
  return make_timeouts(policy.tcp_timeout_s, policy.tcp_fin_timeout_s, policy.udp_timeout_s);
}

}  // namespace

const LimitInfo& info(Limit limit) { return kLimits[static_cast<size_t>(limit)]; }

// --- life
// -------------------------------------------------------------------------------------------

Director::Impl::Impl(const DirectorOptions& options, NeighbourTable& neighbours)
    : context(options, neighbours),
      ipv4(options, context),
      ipv6(options, context),
      fragments(options.connection_key),
      rewriter(context, options.connection_key),
      seed_key(options.connection_key) {
  context.table = &context.tables.first();
  context.timeouts = timeouts_of(context.table->policy);
  views.push_back(std::make_unique<HostView>());  // a machine without routes
  newest_view = views.back().get();
  adopted_view = views.back().get();
  context.hops.adopt(*views.back());
}

bool Director::Impl::is_ready() const {
  return context.tables.is_ready() && context.hops.is_ready() && ipv4.is_ready() &&
         ipv6.is_ready() && fragments.is_ready() && rewriter.is_ready();
}

std::unique_ptr<Director> Director::create(const DirectorOptions& options,
                                           NeighbourTable& neighbours) {
  if (options.connections == 0 || options.connections > kMaxConnections) return nullptr;
  const size_t buckets = options.reply_buckets.size();
  if (!std::has_single_bit(buckets) || buckets > UINT32_MAX) return nullptr;
  auto impl = std::make_unique<Impl>(options, neighbours);
  if (!impl->is_ready()) return nullptr;
  return std::unique_ptr<Director>(new Director(std::move(impl)));
}

Director::Director(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Director::~Director() = default;

// --- adopt
// ------------------------------------------------------------------------------------------

void Director::adopt(Micros now) {
  PathContext& context = impl_->context;
  context.now = now;
  while (const ForwardingTable* next = context.table->next.load(std::memory_order_acquire)) {
    impl_->adopt_table(*next);
  }
  impl_->adopt_host_view();
  impl_->sweep_local_flags();
}

void Director::Impl::adopt_table(const ForwardingTable& table) {
  for (const ServiceChange& change : table.changes) adopt_change(change);
  context.table = &table;
  context.timeouts = timeouts_of(table.policy);
  if (local_sweep != SIZE_MAX) local_sweep = 0;  // places have moved
  // The table before may be freed from here on.
  context.tables.report_adopted(table.generation);
}

void Director::Impl::adopt_change(const ServiceChange& change) {
  TableStore& tables = context.tables;
  const HostView& view = context.hops.view();
  if (change.after != nullptr) {
    uint32_t position = 0;
    for (const Destination& destination : change.after->destinations) {
      DestinationState& state = tables.destination_state(destination.slot);
      const DestinationSpec& spec = destination.spec;
      const Destination* old = state.current;
      // A raised threshold relieves at once, and a slot without connections starts afresh.
      const bool is_raised = old != nullptr && spec.upper_threshold > old->spec.upper_threshold;
      const bool is_fresh = old == nullptr && state.references.get() == 0;
      if (spec.upper_threshold == 0 || is_raised || is_fresh) state.is_overloaded.set(false);
      state.set_current(&destination);
      state.position = position++;
      state.service_slot = change.slot;
      state.is_local.set(view.is_local(spec.family, spec.address));
      // Asked for now, the server's MAC is there when the first packet is. Not finding one is that packet's business.
      if (spec.weight > 0 && !state.is_local.get()) context.hops.find(spec.family, spec.address, 0);
    }
  }
  if (change.before != nullptr) {
    for (const Destination& destination : change.before->destinations) {
      DestinationState& state = tables.destination_state(destination.slot);
      if (state.current == &destination) state.set_current(nullptr);
    }
  }
  if (change.after == nullptr) return;
  const Scheduler& rule = *change.after->key.scheduler;
  SchedulerState& state = tables.service_state(change.slot).scheduler;
  ServiceChange seen = change;
  if (seen.before != nullptr && seen.before->key.scheduler != &rule) seen.before = nullptr;
  if (seen.before == nullptr) state = {.position = 0, .level = 0, .random = seed_of(change.slot)};
  rule.adopt(seen, tables.destination_states(), state);
}

// For the scheduler of a service that is new: secret, so that nobody foresees what is drawn.
uint64_t Director::Impl::seed_of(ServiceSlot slot) const {
  const uint64_t words[2] = {context.table->generation, slot};
  return uvs_siphash(words, 2, &seed_key);
}

void Director::Impl::adopt_host_view() {
  const HostView* view = newest_view.load(std::memory_order_acquire);
  if (view == &context.hops.view()) return;
  context.hops.adopt(*view);
  adopted_view.store(view, std::memory_order_release);
  local_sweep = 0;
}

// Which destinations are this machine itself: after a new view all are looked at, some at each
// turn.
void Director::Impl::sweep_local_flags() {
  const HostView& view = context.hops.view();
  for (size_t looked_at = 0; local_sweep < context.table->services.size(); local_sweep++) {
    const Service& service = *context.table->services[local_sweep];
    if (looked_at > 0 && looked_at + service.destinations.size() > kLocalBudget) return;
    looked_at += service.destinations.size();
    for (const Destination& destination : service.destinations) {
      context.tables.destination_state(destination.slot)
          .is_local.set(view.is_local(destination.spec.family, destination.spec.address));
    }
  }
  local_sweep = SIZE_MAX;
}

void Director::publish_host_view(std::unique_ptr<const HostView> view) {
  Impl& impl = *impl_;
  const HostView* published = view.get();
  impl.views.push_back(std::move(view));
  impl.newest_view.store(published, std::memory_order_release);
  const HostView* adopted = impl.adopted_view.load(std::memory_order_acquire);
  while (impl.views.front().get() != adopted) impl.views.pop_front();
}

// --- the end of connections
// -------------------------------------------------------------------------

bool Director::expire(Micros now) {
  impl_->context.now = now;
  const bool has_more_ipv4 = impl_->ipv4.expire(kExpireBudget);
  const bool has_more_ipv6 = impl_->ipv6.expire(kExpireBudget);
  return has_more_ipv4 || has_more_ipv6;
}

// --- listing and counting
// ---------------------------------------------------------------------------

// A cursor is an index into the IPv4 records, or, from 2^32 on, into the IPv6 records.
ConnectionCursor Director::copy_connections(ConnectionCursor cursor, std::span<ConnectionView> rows,
                                            size_t& count, Micros now) const {
  constexpr ConnectionCursor kIpv6Begin = ConnectionCursor{1} << 32;
  count = 0;
  const auto copy = [&](const auto& flows, ConnectionIndex& index) {
    const ConnectionIndex end = std::min(flows.bound(), index + kCopyBudget);
    count += flows.copy(index, end, rows.subspan(count), now);
    return index >= flows.bound();
  };
  if (cursor < kIpv6Begin) {
    auto index = std::max(static_cast<ConnectionIndex>(cursor), ConnectionIndex{1});
    if (!copy(impl_->ipv4, index)) return index;
    cursor = kIpv6Begin;
  }
  auto index = std::max(static_cast<ConnectionIndex>(cursor - kIpv6Begin), ConnectionIndex{1});
  return copy(impl_->ipv6, index) ? 0 : kIpv6Begin + index;
}

TableStore& Director::tables() { return impl_->context.tables; }

DirectorCounters Director::counters() const {
  DirectorCounters counters;
  for (size_t i = 0; i < kVerdictCount; i++) counters.verdicts[i] = impl_->verdicts[i].get();
  for (size_t i = 0; i < kDropReasonCount; i++) counters.drops[i] = impl_->drops[i].get();
  for (size_t i = 0; i < kFlowEventCount; i++) counters.flow_events[i] = impl_->context.flow_events[i].get();
  return counters;
}

uint32_t Director::connection_count() const { return impl_->context.room.count().get(); }
uint32_t Director::connection_limit() const { return impl_->context.room.limit(); }
uint32_t Director::bucket_count() const { return impl_->ipv4.bucket_count(); }

uint32_t Director::take_reached_limits() {
  return impl_->context.limits_new.exchange(0, std::memory_order_relaxed);
}

}  // namespace uvs
