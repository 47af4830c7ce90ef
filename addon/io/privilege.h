// What a start needs before it touches anything: capabilities, and to be the only director of its
// network namespace.
#pragma once

#include "io/file_descriptor.h"
#include "io/status.h"

namespace uvs {

// PRIVILEGE_MISSING that names every capability that is missing.
Status check_capabilities();

// The lock of this network namespace: an abstract UNIX socket, which dies with its owner.
// ALREADY_RUNNING when a living director holds it.
Result<FileDescriptor> lock_namespace();

}  // namespace uvs
