// Work off the event loop with a Promise at its end: `run` on a thread of ours, `finish` back on the loop. Not on Node's
// own threads: those are four, and a name server that is silent, a pipe without a reader or a full disk holds one as long
// as it likes, while a failover waits for its table.
#pragma once

#include <napi.h>

#include <functional>

#include "io/status.h"
#include "node/errors.h"

namespace uvs {

class PromiseWork final {
 public:
  // May wait for the kernel or the worker; for nothing that has no bound in seconds.
  using Run = std::function<Status()>;
  // What the promise resolves with; called only when `run` went well.
  using Finish = std::function<Napi::Value(Napi::Env)>;

  // `keep_alive` is the JavaScript object that `run` works on.
  static Napi::Promise start(const Napi::Object& keep_alive, Run run, Finish finish);

 private:
  PromiseWork(const Napi::Object& keep_alive, Run run, Finish finish);
  static void settle(Napi::Env env, Napi::Function, PromiseWork* work);

  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference keep_alive_;
  Run run_;
  Finish finish_;
  Status status_;
  Napi::ThreadSafeFunction loop_;
};

}  // namespace uvs
