// One worker: the loop that moves packets. run_once(now) is one turn; start() gives it a thread of
// its own. Only the threaded form reads a clock. Between start() and stop() nobody else touches the
// director's packet side or io.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/net/time.h"
#include "io/monotonic_clock.h"
#include "io/packet_io.h"
#include "io/status.h"

namespace uvs {

class Director;
class Steering;
struct LimitInfo;

struct WorkerOptions {
  std::optional<unsigned> cpu = {};  // pin the thread to it
  Steering* steering = nullptr;      // gets the heartbeat; null for twins in memory
  // Written (eventfd) after a batch that left packets waiting for a next hop:
  // MachineWatch::wake_descriptor(); -1: nobody.
  int resolver_descriptor = -1;
  // Packets can't be moved any more (the slow path's device is gone). Called once, on the worker's
  // thread, which goes on with tasks and tables alone. The heartbeat stops, as in a stall: what is
  // ours is dropped for a while, so that a director that is started again finds connections alive.
  std::function<void(std::string message)> on_failure = {};
  // A limit of the director was reached for the first time. On the worker's thread (or inside
  // run_once); must not wait.
  std::function<void(const LimitInfo& limit)> on_limit = {};
};

class Worker {
 public:
  // Runs between two batches on the worker's thread (or inside run_once). It is what tells its
  // poster that it is done.
  using Task = std::function<void(Micros now)>;

  // `director`, `io` and the steering outlive the worker.
  Worker(Director& director, PacketIo& io, WorkerOptions options);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // DEVICE_MISSING when the CPU to pin to does not exist, IO.
  Status start();
  // Ends and joins the thread, within 300 ms. Tasks still waiting run here, so that no poster waits
  // for ever. Twice is fine.
  void stop();

  // As stop(), but what is ours is dropped from then on as if the worker were late, instead of going
  // to the host: a director that is started again at once finds connections alive.
  void hold();

  // One turn at `now`: adopt, tasks, receive, process, transmit, release, held packets, expire.
  // True: there may be more to do at once. Synchronous form: only while there is no thread.
  bool run_once(Micros now);

  // Any thread. `task` should be short (a page of connections): packets wait meanwhile.
  void post(Task task);
  // Any thread: makes the worker take up what was published now instead of within 250 ms.
  void wake();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace uvs
