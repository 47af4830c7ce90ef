#include "node/process_io.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "host/line_writer.h"
#include "host/signal_pipe.h"
#include "node/errors.h"

namespace uvs {
namespace {

class LineWriterObject : public Napi::ObjectWrap<LineWriterObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports) {
    exports.Set("LineWriter", DefineClass(env, "LineWriter",
                                          {
                                              InstanceMethod<&LineWriterObject::write>("write"),
                                              InstanceMethod<&LineWriterObject::loss>("loss"),
                                              InstanceMethod<&LineWriterObject::drain>("drain"),
                                          }));
  }

  explicit LineWriterObject(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<LineWriterObject>(info), writer_(info[0].ToNumber().Int32Value()) {}

 private:
  void write(const Napi::CallbackInfo& info) { writer_.write(info[0].ToString().Utf8Value()); }

  Napi::Value loss(const Napi::CallbackInfo& info) {
    const LineLoss loss = writer_.loss();
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("count", static_cast<double>(loss.count));
    result.Set("reason", loss.error == ENOBUFS ? "its reader is too slow" : strerror(loss.error));
    result.Set("isOver", loss.is_over);
    return result;
  }

  Napi::Value drain(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), writer_.drain(Micros{info[0].ToNumber().Uint32Value()} * 1000));
  }

  LineWriter writer_;
};

// takeSignals(numbers): the descriptor to read, one byte a signal. It is the caller's.
Napi::Value signal_descriptor(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto list = info[0].As<Napi::Array>();
  std::vector<int> numbers;
  for (uint32_t i = 0; i < list.Length(); i++) numbers.push_back(list.Get(i).ToNumber().Int32Value());
  Result<FileDescriptor> taken = uvs::take_signals(numbers);
  if (!taken.ok()) throw to_error(env, taken.status());
  return Napi::Number::New(env, taken.value().release());
}

// exitWithin(patience_ms, code): the end of the process, which is under way, takes no longer. A thread of Node's pool that
// hangs in a file (a mount that does not answer) would hold it up for ever.
void exit_within(const Napi::CallbackInfo& info) {
  const std::chrono::milliseconds patience(info[0].ToNumber().Uint32Value());
  const int code = info[1].ToNumber().Int32Value();
  std::thread([patience, code] {
    std::this_thread::sleep_for(patience);
    _exit(code);
  }).detach();
}

}  // namespace

void export_process_io(Napi::Env env, Napi::Object exports) {
  LineWriterObject::define(env, exports);
  exports.Set("exitWithin", Napi::Function::New(env, exit_within));
  exports.Set("takeSignals", Napi::Function::New(env, signal_descriptor));
}

}  // namespace uvs
