// The class Dataplane: a director on this machine's devices (dataplane/machine.h), behind NativeDataplane of
// src/dataplane/native-module.ts. Slow calls run off the event loop and answer with a Promise.
#pragma once

#include <napi.h>

namespace uvs {

void export_dataplane(Napi::Env env, Napi::Object exports);

}  // namespace uvs
