// What `require` of the addon gives: the shape NativeModule of src/dataplane/native-module.ts.
// Nothing runs and nothing is allocated until a class is made.

#include <napi.h>

#include "node/dataplane.h"
#include "node/host.h"
#include "node/memory_dataplane.h"
#include "node/network.h"
#include "node/process_io.h"

namespace {

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  uvs::export_dataplane(env, exports);
  uvs::export_memory_dataplane(env, exports);
  uvs::export_host(env, exports);
  uvs::export_network(env, exports);
  uvs::export_process_io(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(uvs, initialize)
