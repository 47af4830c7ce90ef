// Addresses that one director leaves for the next on this machine, and custody of what is ours, as calls from JavaScript:
// of the data plane (static addresses) and of the network (virtual ones).
#pragma once

#include <napi.h>

#include <memory>

#include "host/custody.h"

namespace uvs {

// (address, seconds): see leave_address.
Napi::Value leave_host_address(const Napi::Object& self, const Napi::CallbackInfo& info);
// (address): resolves with a boolean, see take_up_address.
Napi::Value take_up_host_address(const Napi::Object& self, const Napi::CallbackInfo& info);
// (belongings): resolves with an outcome each; as Belonging and CustodyOutcome in src/dataplane/custody.ts.
Napi::Value look_after_belongings(const Napi::Object& self, const Napi::CallbackInfo& info,
                                  std::shared_ptr<Custody> custody);
// As CustodyStatus.
Napi::Object custody_object(Napi::Env env, const CustodyReport& report);

}  // namespace uvs
