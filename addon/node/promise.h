// Work off the event loop with a Promise at its end: `run` on a libuv thread, `finish` back on the loop.
#pragma once

#include <napi.h>

#include <functional>
#include <utility>

#include "io/status.h"
#include "node/errors.h"

namespace uvs {

class PromiseWork final : public Napi::AsyncWorker {
 public:
  using Run = std::function<Status()>;
  // What the promise resolves with; called only when `run` went well.
  using Finish = std::function<Napi::Value(Napi::Env)>;

  // `keep_alive` is the JavaScript object that `run` works on.
  static Napi::Promise start(const Napi::Object& keep_alive, Run run, Finish finish) {
    auto* work = new PromiseWork(keep_alive, std::move(run), std::move(finish));
    const Napi::Promise promise = work->deferred_.Promise();
    work->Queue();
    return promise;
  }

 private:
  PromiseWork(const Napi::Object& keep_alive, Run run, Finish finish)
      : AsyncWorker(keep_alive.Env()),
        deferred_(Napi::Promise::Deferred::New(keep_alive.Env())),
        keep_alive_(Napi::Persistent(keep_alive)),
        run_(std::move(run)),
        finish_(std::move(finish)) {}

  void Execute() override { status_ = run_(); }

  void OnOK() override {
    if (status_.ok()) {
      deferred_.Resolve(finish_(Env()));
    } else {
      deferred_.Reject(to_error(Env(), status_).Value());
    }
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference keep_alive_;
  Run run_;
  Finish finish_;
  Status status_;
};

}  // namespace uvs
