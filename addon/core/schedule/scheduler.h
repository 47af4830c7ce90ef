// The contract of all schedulers: one constant of functions each, without state of its own.
// The plan is computed on the control thread when a table is published; what moves from choice to
// choice is SchedulerState. A new scheduler is one file and one line in registry.cc.
#pragma once

#include <span>

#include "core/net/parse.h"
#include "core/table/forwarding_table.h"
#include "core/table/slot_state.h"

namespace uvs {

// All destinations' states, by DestinationSlot.
using DestinationStates = std::span<const DestinationState>;

struct Scheduler {
  // As ipvsadm and keepalived write it.
  const char* name;

  // Control thread. What can be computed ahead for `service`.
  SchedulerPlan (*plan)(const Service& service);

  // Worker, once for each new generation of the service, before any choice by it; the destination
  // states are those of `after`. `change.before` is null when the service or its scheduler is new:
  // `state` is then not this scheduler's and must be set.
  void (*adopt)(const ServiceChange& change, DestinationStates states, SchedulerState& state);

  // Worker. The destination for the connection that `packet` opens, or null: nobody is usable.
  const Destination* (*choose)(const Service& service, DestinationStates states,
                               SchedulerState& state, const ParsedPacket& packet);

  // The packet alone decides: as long as the servers stay, so does a client's server, with a record or without.
  bool is_by_packet = false;
};

const Scheduler& scheduler(SchedulerId id);

// TableStore's plan builder.
SchedulerPlan build_plan(const Service& service);

}  // namespace uvs
