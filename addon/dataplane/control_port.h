// What every native data plane offers the control plane, on real devices or in memory: tables in, counters,
// connections and status out.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "core/path/director.h"
#include "io/status.h"
#include "worker/worker.h"

namespace uvs {

struct ConnectionPage {
  std::vector<ConnectionView> connections;
  ConnectionCursor next = 0;
};

// As DropReasonCount in src/dataplane/port.ts.
struct DropCount {
  const char* reason;
  const char* text;
  uint64_t count;
};

// The part of DataplaneStatus that needs no device.
struct PortStatus {
  uint64_t generation = 0;
  size_t table_size = 0;
  size_t connection_count = 0;
  size_t connection_limit = 0;
  DirectorCounters counters;
};

class ControlPort {
 public:
  // Called around a change, see Steering::cover and restrict_to; none for memory. `take_up` is called once, when the
  // first table is in force and before anything is steered: connections are there before their packets are.
  struct Steer {
    std::function<Status(const TableSpec&)> before;
    std::function<void(const TableSpec&)> after;
    std::function<void()> take_up;
  };

  ControlPort(Director& director, Worker& worker, Steer steer = {});

  // Puts `table` in force and waits until the worker has taken it up (IO when it does not within five seconds).
  // Not on the event loop. LIMIT_REACHED and what Steer::before says leave the old table in force.
  Result<uint64_t> publish(const TableSpec& table);
  // On the event loop, when a publish is done: counters are in the order of that table from now on.
  void show_newest();

  // Fills what fits, see counterCount in src/dataplane/table-codec.ts. Returns the generation.
  uint64_t read_counters(std::span<uint64_t> into);
  void zero();

  // A page of at most `limit` connections. Waits for the worker: not on the event loop.
  Result<ConnectionPage> connections(uint32_t limit, ConnectionCursor after);

  PortStatus status() const;

  // See Director::adopt_connections. Waits for the worker. IO when it does not answer.
  Status adopt(std::vector<ConnectionView> connections, AdoptCounts& counts);

 private:
  // Runs `task` between two batches and waits for it.
  Status on_worker(std::function<void(Micros now)> task);

  Director& director_;
  Worker& worker_;
  Steer steer_;
  std::mutex tables_;   // TableStore wants one control thread at a time
  TableSpec in_force_;  // to steer by when a new table is refused
  struct Row {
    ServiceSlot service;
    std::vector<DestinationSlot> destinations;
  };
  std::vector<Row> newest_rows_;
  std::vector<Row> rows_;
  uint64_t newest_generation_ = 0;
  uint64_t generation_ = 0;
};

}  // namespace uvs
