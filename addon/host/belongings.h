// What of addresses, routes and virtual MAC devices is ours on this machine, in custody: each is asked for by itself, in an
// order in which one may need the other.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "host/addresses.h"
#include "host/custody.h"
#include "host/virtual_routes.h"

namespace uvs {

struct VirtualMacSpec {
  std::string name, parent;
  MacAddress mac;
};

struct Belonging {
  std::variant<VirtualMacSpec, HostAddress, VirtualRouteSpec> thing;
  std::string text;  // as users know it
  // We have not added it yet, or what we did to another has taken it along: it is not told, counted or limited.
  bool is_our_doing = false;
};

// Puts back what is missing or changed; the outcomes stand in the order of `belongings`. Any thread, one call at a time for
// each custody; waits for the kernel's answers (microseconds each).
std::vector<CustodyOutcome> look_after(Custody& custody, const std::vector<Belonging>& belongings, Micros now);

}  // namespace uvs
