// An address that one director leaves for the next on this machine, as calls from JavaScript: of the data plane
// (static addresses) and of the network (virtual ones).
#pragma once

#include <napi.h>

namespace uvs {

// (address, seconds): see leave_address.
Napi::Value leave_host_address(const Napi::Object& self, const Napi::CallbackInfo& info);
// (address): resolves with a boolean, see take_up_address.
Napi::Value take_up_host_address(const Napi::Object& self, const Napi::CallbackInfo& info);

}  // namespace uvs
