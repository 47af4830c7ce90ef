// The methods that both native classes share, by ControlPort: publish, readCounters, connections, zero.
#pragma once

#include <napi.h>

#include "node/control_port.h"

namespace uvs {

// `self` and what the port works on are kept alive until the promise settles.
Napi::Value publish_table(const Napi::Object& self, std::shared_ptr<ControlPort> port, const Napi::Value& bytes);
Napi::Value read_counters(Napi::Env env, ControlPort& port, const Napi::Value& into);
Napi::Value list_connections(const Napi::Object& self, std::shared_ptr<ControlPort> port, const Napi::CallbackInfo& info);

}  // namespace uvs
