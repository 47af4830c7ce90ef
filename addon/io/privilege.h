// The capabilities that a start needs, looked for before it touches anything.
#pragma once

#include "io/status.h"

namespace uvs {

// PRIVILEGE_MISSING that names every capability that is missing.
Status check_capabilities();

}  // namespace uvs
