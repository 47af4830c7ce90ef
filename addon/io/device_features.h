// The offload features of a network device by their names, as `ethtool -k` lists them, and switching
// them off. Control side only.
#pragma once

#include <functional>
#include <string_view>

#include "io/status.h"

namespace uvs {

// Switches off every feature of `device` whose name is in `is_unwanted`; fixed ones stay as they are.
// IO, PRIVILEGE_MISSING; the device is as it was then.
Status disable_features(const char* device,
                        const std::function<bool(std::string_view name)>& is_unwanted);

}  // namespace uvs
