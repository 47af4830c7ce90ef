// What the stages of one director share: the table and the machine as of this batch, time, and
// everything that is kept for both address families together.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "core/flow/reply_map.h"
#include "core/flow/tcp_state.h"
#include "core/net/time.h"
#include "core/path/director.h"
#include "core/path/flow_events.h"
#include "core/path/next_hops.h"
#include "core/path/room.h"
#include "core/schedule/scheduler.h"
#include "core/table/table_store.h"

namespace uvs {

struct PathContext {
  PathContext(const DirectorOptions& options, NeighbourTable& neighbours)
      : tables(prepare_service),
        replies(options.reply_buckets, options.reply_key),
        hops(neighbours),
        room(options.connections) {}

  void count(FlowEvent event) { flow_events[static_cast<size_t>(event)].add(1); }

  // Says a limit once; told by Director::take_reached_limits.
  void reached(Limit limit) {
    const uint32_t bit = 1u << static_cast<unsigned>(limit);
    if ((limits_told & bit) != 0) return;
    limits_told |= bit;
    limits_new.fetch_or(bit, std::memory_order_relaxed);
  }

  TableStore tables;
  const ForwardingTable* table = nullptr;
  ReplyMap replies;
  NextHops hops;
  Timeouts timeouts{};
  Room room;
  // Until then connections without a record may be under way.
  Micros recordless_until = 0;
  std::array<Counted<uint64_t>, kFlowEventCount> flow_events{};
  Micros now = 0;
  std::atomic<uint32_t> limits_new = 0;
  uint32_t limits_told = 0;
};

}  // namespace uvs
