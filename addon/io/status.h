// How everything off the packet path reports failure: a code that callers switch on (the same names
// as ErrorCode in src/errors.ts) and one sentence that says what is wrong and how to mend it. No
// exceptions.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace uvs {

enum class ErrorCode : uint8_t {
  kOk,
  kAlreadyRunning,
  kPrivilegeMissing,
  kKernelUnsupported,
  kDeviceMissing,
  kDeviceUnsupported,
  kLimitReached,
  kIo,
};

// Name as in src/errors.ts, for example "ALREADY_RUNNING".
const char* name(ErrorCode code);

struct [[nodiscard]] Status {
  ErrorCode code = ErrorCode::kOk;
  std::string message;

  bool ok() const { return code == ErrorCode::kOk; }
};

// What the kernel says about an errno; empty for 0. Unlike strerror it shares no buffer among threads.
std::string error_text(int error);

// A failed system call as a Status: `what` and strerror. EPERM and EACCES name `capability` as what
// is missing.
Status errno_status(int error, std::string what, const char* capability = "CAP_NET_ADMIN");

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Status status) : state_(std::move(status)) {}

  bool ok() const { return std::holds_alternative<T>(state_); }
  T& value() { return std::get<T>(state_); }
  const T& value() const { return std::get<T>(state_); }
  const Status& status() const { return std::get<Status>(state_); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace uvs
