#include "io/status.h"

#include <cerrno>
#include <cstring>

namespace uvs {

const char* name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOk:
      return "OK";
    case ErrorCode::kAlreadyRunning:
      return "ALREADY_RUNNING";
    case ErrorCode::kPrivilegeMissing:
      return "PRIVILEGE_MISSING";
    case ErrorCode::kKernelUnsupported:
      return "KERNEL_UNSUPPORTED";
    case ErrorCode::kDeviceMissing:
      return "DEVICE_MISSING";
    case ErrorCode::kDeviceUnsupported:
      return "DEVICE_UNSUPPORTED";
    case ErrorCode::kLimitReached:
      return "LIMIT_REACHED";
    case ErrorCode::kIo:
      return "IO";
  }
  return "IO";
}

std::string error_text(int error) {
  if (error == 0) return {};
  const char* text = strerrordesc_np(error);
  return text ? text : "error " + std::to_string(error);
}

Status errno_status(int error, std::string what, const char* capability) {
  what += ": " + error_text(error);
  if (error == EPERM || error == EACCES) {
    what += " (grant ";
    what += capability;
    what += ")";
    return {ErrorCode::kPrivilegeMissing, std::move(what)};
  }
  if (error == ENODEV || error == ENXIO) return {ErrorCode::kDeviceMissing, std::move(what)};
  return {ErrorCode::kIo, std::move(what)};
}

}  // namespace uvs
