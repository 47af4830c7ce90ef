#include "node/promise.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "io/quiet_thread.h"

namespace uvs {
namespace {

// As many works go on at once; each is done within seconds, whatever happens.
constexpr size_t kThreads = 4;

// Started one by one as they are needed, and there for the rest of the process: never destroyed, since a thread may still
// wait at exit.
class Threads {
 public:
  static Threads& shared() {
    static Threads* const threads = new Threads;
    return *threads;
  }

  void post(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    if (queue_.size() > idle_ && started_ < kThreads) start_one();
    is_due_.notify_one();
  }

 private:
  void start_one() {
    started_++;
    start_quiet_thread("uvs-control", [this] { loop(); }).detach();
  }

  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      idle_++;
      is_due_.wait(lock, [this] { return !queue_.empty(); });
      idle_--;
      const std::function<void()> work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable is_due_;
  std::deque<std::function<void()>> queue_;
  size_t started_ = 0, idle_ = 0;
};

}  // namespace

PromiseWork::PromiseWork(const Napi::Object& keep_alive, Run run, Finish finish)
    : deferred_(Napi::Promise::Deferred::New(keep_alive.Env())),
      keep_alive_(Napi::Persistent(keep_alive)),
      run_(std::move(run)),
      finish_(std::move(finish)),
      loop_(Napi::ThreadSafeFunction::New(keep_alive.Env(), Napi::Function(), "uvs.control", 0, 1)) {}

Napi::Promise PromiseWork::start(const Napi::Object& keep_alive, Run run, Finish finish) {
  auto* work = new PromiseWork(keep_alive, std::move(run), std::move(finish));
  const Napi::Promise promise = work->deferred_.Promise();
  Threads::shared().post([work] {
    work->status_ = work->run_();
    // Copied: `work` may be gone as soon as the loop has it.
    Napi::ThreadSafeFunction loop = work->loop_;
    loop.NonBlockingCall(work, settle);
    loop.Release();
  });
  return promise;
}

void PromiseWork::settle(Napi::Env env, Napi::Function, PromiseWork* work) {
  if (env == nullptr) {
    // The environment is going down: nobody waits for the promise, and the reference went with it.
    work->keep_alive_.SuppressDestruct();
  } else if (work->status_.ok()) {
    try {
      work->deferred_.Resolve(work->finish_(env));
    } catch (const Napi::Error& error) {
      work->deferred_.Reject(error.Value());
    }
  } else {
    work->deferred_.Reject(to_error(env, work->status_).Value());
  }
  delete work;
}

}  // namespace uvs
