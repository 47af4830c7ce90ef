// The methods that both native classes share, by ControlPort: publish, readCounters, connections, status.
#pragma once

#include <napi.h>

#include "dataplane/control_port.h"

namespace uvs {

// `self` and what the port works on are kept alive until the promise settles.
Napi::Value publish_table(const Napi::Object& self, std::shared_ptr<ControlPort> port, const Napi::Value& bytes);
Napi::Value read_counters(Napi::Env env, ControlPort& port, const Napi::Value& into);
Napi::Value list_connections(const Napi::Object& self, std::shared_ptr<ControlPort> port, const Napi::CallbackInfo& info);
// `outside`: what was dropped before the path saw it or after it let it go; `passes`: what it never saw.
Napi::Object port_status(Napi::Env env, const ControlPort& port, const std::vector<DropCount>& outside = {},
                         const std::vector<DropCount>& passes = {});

}  // namespace uvs
