// The small services of addon/host for the control plane: sd_notify and the TCP probe that can bind to anything.
#pragma once

#include <napi.h>

namespace uvs {

void export_host(Napi::Env env, Napi::Object exports);

}  // namespace uvs
