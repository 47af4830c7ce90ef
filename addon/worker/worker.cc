#include "worker/worker.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <thread>
#include <vector>

#include "core/path/director.h"
#include "io/file_descriptor.h"
#include "io/quiet_thread.h"
#include "io/steering.h"

namespace uvs {

namespace {

// Bounds the age of the heartbeat (see UVS_HEARTBEAT_LATE_NS) and the wait of what was published without
// wake().
constexpr int kPollTimeout_ms = 250;
// Batches that are taken at stop from what the kernel had steered to us before it heard of it.
constexpr int kLastTurns = 64;

void signal_event(int descriptor) { (void)eventfd_write(descriptor, 1); }

}  // namespace

struct Worker::Impl {
  Director& director;
  PacketIo& io;
  WorkerOptions options;
  Batch batch;

  FileDescriptor wakeup;
  std::thread thread;
  std::atomic<bool> is_stopping = false;
  std::atomic<bool> is_holding = false;
  // The flag is what the loop reads each turn; the lock is taken only when there is a task.
  std::atomic<bool> has_tasks = false;
  std::mutex mutex;
  std::vector<Task> tasks;

  Impl(Director& a_director, PacketIo& an_io, WorkerOptions some_options)
      : director(a_director),
        io(an_io),
        options(std::move(some_options)),
        wakeup(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  bool has_failed = false;

  void run_tasks(Micros now);
  void send_extra();
  bool move_batch(Micros now);
  bool turn(Micros now);
  void wait();
  void check_io();
  void loop();
};

void Worker::Impl::run_tasks(Micros now) {
  if (!has_tasks.load(std::memory_order_acquire)) return;
  std::vector<Task> due;
  {
    const std::lock_guard lock(mutex);
    due.swap(tasks);
    has_tasks.store(false, std::memory_order_relaxed);
  }
  for (Task& task : due) task(now);
}

void Worker::Impl::send_extra() {
  Batch extra;
  while (director.take_extra(extra)) io.transmit(extra);
}

// False: there was none.
bool Worker::Impl::move_batch(Micros now) {
  io.receive(batch);
  if (batch.count == 0) {
    io.release(batch);
    return false;
  }
  director.process(batch, now);
  io.transmit(batch);
  send_extra();
  bool is_waiting_for_next_hop = false;
  for (size_t i = 0; i < batch.count; i++)
    is_waiting_for_next_hop |= batch.frames[i].verdict == Verdict::kHeld;
  if (is_waiting_for_next_hop && options.resolver_descriptor >= 0)
    signal_event(options.resolver_descriptor);
  io.release(batch);
  return true;
}

bool Worker::Impl::turn(Micros now) {
  // In this order: who publishes a table and posts a task knows, when the task runs, that the table is in force.
  director.adopt(now);
  run_tasks(now);
  const bool has_received = !has_failed && move_batch(now);
  while (director.release_held(batch, now)) {
    io.transmit(batch);
    send_extra();
  }
  const bool has_more_to_expire = director.expire(now);
  if (const uint32_t reached = director.take_reached_limits(); reached != 0 && options.on_limit) {
    for (uint32_t i = 0; i < static_cast<uint32_t>(Limit::kCount); i++) {
      if ((reached & (1u << i)) != 0) options.on_limit(info(static_cast<Limit>(i)));
    }
  }
  return has_received || has_more_to_expire;
}

void Worker::Impl::wait() {
  const bool watches_io = io.descriptor() >= 0 && !has_failed;
  pollfd watched[2] = {{wakeup.get(), POLLIN, 0}, {io.descriptor(), POLLIN, 0}};
  if (poll(watched, watches_io ? 2 : 1, kPollTimeout_ms) <= 0) return;
  if ((watched[0].revents & POLLIN) != 0) {
    eventfd_t count;
    (void)eventfd_read(wakeup.get(), &count);
  }
  if ((watched[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) check_io();
}

void Worker::Impl::check_io() {
  const char* failure = io.failure();
  if (!failure) return;
  has_failed = true;  // and no heartbeat from here
  if (options.on_failure) options.on_failure(failure);
}

void Worker::Impl::loop() {
  while (!is_stopping.load(std::memory_order_acquire)) {
    const Micros now = monotonic_now();
    if (options.steering && !has_failed) options.steering->set_heartbeat(now * 1000);
    if (!turn(now)) wait();
  }
  // An end that is wanted: the kernel passes everything to the host; what is on its way to us still
  // gets its due.
  // Held, it drops instead.
  if (options.steering) {
    options.steering->set_heartbeat(is_holding ? monotonic_now() * 1000 - UVS_HEARTBEAT_LATE_NS : 0);
  }
  for (int i = 0; i < kLastTurns && !has_failed; i++) {
    if (!turn(monotonic_now())) break;
  }
}

Worker::Worker(Director& director, PacketIo& io, WorkerOptions options)
    : impl_(std::make_unique<Impl>(director, io, std::move(options))) {}

Worker::~Worker() { stop(); }

Status Worker::start() {
  if (!impl_->wakeup.is_open())
    return {ErrorCode::kIo, "cannot make the event that wakes the worker"};
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (impl_->options.cpu) {
    if (*impl_->options.cpu >= CPU_SETSIZE)
      return {ErrorCode::kDeviceMissing, "no such CPU: " + std::to_string(*impl_->options.cpu)};
    CPU_SET(*impl_->options.cpu, &cpus);
  }
  impl_->is_stopping = false;
  impl_->thread = start_quiet_thread("uvs-worker", [this] { impl_->loop(); });
  if (impl_->options.cpu &&
      pthread_setaffinity_np(impl_->thread.native_handle(), sizeof(cpus), &cpus) != 0) {
    stop();
    return {ErrorCode::kDeviceMissing, "the worker can't run on CPU " +
                                           std::to_string(*impl_->options.cpu) +
                                           ": it does not exist or is not allowed to us"};
  }
  return {};
}

void Worker::stop() {
  if (impl_->thread.joinable()) {
    impl_->is_stopping.store(true, std::memory_order_release);
    wake();
    impl_->thread.join();
  }
  impl_->run_tasks(monotonic_now());
}

void Worker::hold() {
  impl_->is_holding = true;
  stop();
}

bool Worker::run_once(Micros now) { return impl_->turn(now); }

void Worker::post(Task task) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->tasks.push_back(std::move(task));
    impl_->has_tasks.store(true, std::memory_order_release);
  }
  wake();
}

void Worker::wake() { signal_event(impl_->wakeup.get()); }

}  // namespace uvs
