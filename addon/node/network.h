// The class Network: what failover does on this machine (host/failover_network.h), behind NativeNetwork of
// src/dataplane/native-module.ts. Only what waits for the kernel's configuration answers with a Promise.
#pragma once

#include <napi.h>

namespace uvs {

void export_network(Napi::Env env, Napi::Object exports);

}  // namespace uvs
