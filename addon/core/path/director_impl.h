// What a Director is made of. Private to director.cc (the way of a batch) and director_upkeep.cc
// (everything between two batches).
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>

#include "core/flow/fragment_table.h"
#include "core/path/context.h"
#include "core/path/director.h"
#include "core/path/flows.h"
#include "core/path/item.h"
#include "core/path/rewriter.h"

namespace uvs {

struct Director::Impl {
  Impl(const DirectorOptions& options, NeighbourTable& neighbours);

  bool is_ready() const;

  // The stages of process().
  void parse(Batch& batch);
  void classify();
  void find_connections();
  void schedule_misses();
  void settle_later_fragment(Item& item, bool may_wait);
  void rewrite(Batch& batch);
  void account(const Batch& batch);
  void count(const Frame& frame, Verdict outcome);
  void count_drop(DropReason reason);
  void count_displaced(HoldQueue& queue, Limit limit, DropReason reason);
  void count_traffic(const Item& item);

  // The parts of release_held().
  void release_to_next_hops(Batch& batch);
  void release_fragments(Batch& batch);

  // The parts of adopt().
  void adopt_table(const ForwardingTable& table);
  void adopt_change(const ServiceChange& change);
  uint64_t seed_of(ServiceSlot slot) const;
  void adopt_host_view();
  void sweep_local_flags();

  PathContext context;
  Flows<Family::kIpv4> ipv4;
  Flows<Family::kIpv6> ipv6;
  FragmentTable<Decision> fragments;
  bool has_new_first_fragment = false;  // one that somebody may wait for
  Rewriter rewriter;
  std::array<Item, kBatchSize> items;  // of the batch under way
  size_t item_count = 0;

  std::array<Counted<uint64_t>, kVerdictCount> verdicts{};
  std::array<Counted<uint64_t>, kDropReasonCount> drops{};

  // Oldest first: pushed and freed by the publishing thread, which keeps the adopted one and all
  // after it.
  std::deque<std::unique_ptr<const HostView>> views;
  std::atomic<const HostView*> newest_view = nullptr;
  std::atomic<const HostView*> adopted_view = nullptr;
  const uvs_hash_key seed_key;
  size_t local_sweep =
      SIZE_MAX;  // place of the service whose destinations are looked at next; beyond: all were
};

}  // namespace uvs
