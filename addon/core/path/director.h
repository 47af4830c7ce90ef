// The way of a packet through one worker: a batch goes in, and every frame comes out with one
// verdict. No I/O, no clock, no allocation after create(): devices, time and the machine's view are
// handed in.
//
// Threads: the worker's thread owns everything below "worker"; the rest may be called beside it as
// it says.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "core/flow/connection_view.h"
#include "core/forward/host_view.h"
#include "core/forward/neighbour_table.h"
#include "core/net/frame.h"
#include "core/net/time.h"
#include "core/path/flow_events.h"
#include "core/table/table_store.h"
#include "shared/flow.h"

namespace uvs {

inline constexpr uint32_t kMaxConnections = 100'000'000;

struct DirectorOptions {
  uint32_t connections = 1'000'000;  // limit over both families; 1 to kMaxConnections
  uvs_hash_key connection_key{};     // secret: random in production
  // The map of expected replies, shared with the steering program (Steering::flow_buckets) or heap
  // memory in tests: zeroed, a power of two in length, at least connections / 2 buckets; it
  // outlives the director.
  std::span<uvs_flow_bucket> reply_buckets;
  uvs_hash_key reply_key{};  // Steering::flow_key
};

// Named limits, reported once each (counters go on): bit 1 << limit in
// Director::take_reached_limits.
enum class Limit : uint8_t {
  kConnections,
  kUnconfirmed,
  kReplyMap,
  kFragments,
  kHoldQueue,
  kNextHops,
  kCount
};
struct LimitInfo {
  Limit limit;
  const char* name;
  const char* text;
};
const LimitInfo& info(Limit limit);

struct DirectorCounters {
  std::array<uint64_t, kVerdictCount> verdicts{};
  std::array<uint64_t, kDropReasonCount> drops{};
  std::array<uint64_t, kFlowEventCount> flow_events{};
};

// What became of a connection that was to be taken up.
enum class AdoptOutcome : uint8_t {
  kAdopted,
  kExpired,
  kNoService,
  kNoServer,
  kOtherMethod,  // NAT here and none there, or the reverse: its packets would be other ones
  kKnown,
  kNoRoom
};
inline constexpr size_t kAdoptOutcomeCount = 7;
using AdoptCounts = std::array<uint64_t, kAdoptOutcomeCount>;  // by AdoptOutcome
const char* text(AdoptOutcome outcome);

class Director {
 public:
  // Null when the options make no sense or there is no address space. `neighbours` outlives the
  // director.
  static std::unique_ptr<Director> create(const DirectorOptions& options,
                                          NeighbourTable& neighbours);
  ~Director();

  // --- beside the worker
  // -----------------------------------------------------------------------------------------

  // Where tables are published and counters read: see there for threads.
  TableStore& tables();
  // What the machine looks like from now on; `view->generation` is above that of every view before.
  // One thread at a time.
  void publish_host_view(std::unique_ptr<const HostView> view);

  // Any thread.
  DirectorCounters counters() const;
  uint32_t connection_count() const;
  uint32_t connection_limit() const;
  uint32_t bucket_count() const;
  // Limits reached since the last call, as bits; each is told once in a director's life.
  uint32_t take_reached_limits();

  // --- worker
  // ----------------------------------------------------------------------------------------------------

  // Between two batches: takes up what was published. Cost: proportional to what changed.
  void adopt(Micros now);

  // Gives every frame of `batch` its verdict, rewritten where it says so.
  void process(Batch& batch, Micros now);

  // After process() and release_held(), until it returns false: frames made beside the batch
  // (fragments of packets too large for the way out). They lie in the director's memory until the
  // next process() or release_held().
  bool take_extra(Batch& extra);

  // Packets whose next hop has answered, or has failed or kept silent too long, with their
  // verdicts; false: there are none. They lie in the director's memory until the next call. Call it
  // until it returns false.
  bool release_held(Batch& batch, Micros now);

  // Takes up connections of another director, as far as their service and server are in the table:
  // with their state, what is left of their time, the replies that NAT expects, and as load of their
  // server. Adopt the table first. Some 0.2 us a connection.
  AdoptCounts adopt_connections(std::span<const ConnectionView> views, Micros now);

  // Ends connections whose time has come: a bounded number a call; true when more are due.
  bool expire(Micros now);

  // Writes up to rows.size() connections from `cursor` on and returns where to go on; `count` is
  // how many. Bounded: a page may hold fewer rows than it could, even none. A connection that lives
  // through the walk appears exactly once.
  ConnectionCursor copy_connections(ConnectionCursor cursor, std::span<ConnectionView> rows,
                                    size_t& count, Micros now) const;

 private:
  struct Impl;
  explicit Director(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace uvs
