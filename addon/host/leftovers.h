// What a dead director and its guardian have left in this network namespace, removed without starting another.
#pragma once

#include "io/status.h"

namespace uvs {

// Addresses with our mark, virtual MAC devices and what they have set at their parents, routes, filters and the pair. What was
// left for a restart stays: addresses with a lifetime, the devices that they are on, beside them all routes; the filters that
// hold packets back for it. A living director's things are never touched: ALREADY_RUNNING. IO, PRIVILEGE_MISSING. Fine when
// there is nothing.
Status remove_leftovers();

}  // namespace uvs
