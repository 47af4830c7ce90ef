// Exports what the process itself needs and Node can't: a log that never blocks, and signals beyond Node's.
#pragma once

#include <napi.h>

namespace uvs {

void export_process_io(Napi::Env env, Napi::Object exports);

}  // namespace uvs
