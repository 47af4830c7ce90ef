// The class MemoryDataplane: the whole path on memory_link, turned by JavaScript on a clock handed in. What the machine
// looks like (links, addresses, routes, neighbours) is given at creation.
#pragma once

#include <napi.h>

namespace uvs {

void export_memory_dataplane(Napi::Env env, Napi::Object exports);

}  // namespace uvs
