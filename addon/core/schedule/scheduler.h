// The contract of all schedulers: one constant of functions each, without state of its own. What can be computed ahead
// is computed on the control thread when a table is published (plan); what moves from choice to choice is SchedulerState
// or, where that is more than a few words, memory. A new scheduler is one file and one line in registry.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "core/net/parse.h"
#include "core/net/time.h"
#include "core/table/forwarding_table.h"
#include "core/table/slot_state.h"

namespace uvs {

// All destinations' states, by DestinationSlot.
using DestinationStates = std::span<const DestinationState>;

// What a choice is made by: the destination for the connection that `packet` opens at `now`.
struct Choice {
  const Service& service;
  DestinationStates states;
  SchedulerState& state;
  const ParsedPacket& packet;
  Micros now;

  bool has_flag(SchedulerFlag flag) const {
    return (service.key.scheduler_flags & static_cast<uint8_t>(flag)) != 0;
  }
};

struct Scheduler {
  // As ipvsadm and keepalived write it; at most 8 characters.
  std::string_view name;

  // Worker. A destination of the service, or null: nobody is usable.
  const Destination* (*choose)(const Choice& choice);

  // Control thread. What can be computed ahead for `service`.
  SchedulerPlan (*plan)(const Service& service) = [](const Service&) { return SchedulerPlan{}; };

  // Control thread. Memory for a service that begins with this scheduler; of a fixed size, nothing is allocated later.
  std::shared_ptr<SchedulerMemory> (*make_memory)() = []() -> std::shared_ptr<SchedulerMemory> { return nullptr; };

  // Worker, once for each new generation of the service, before any choice by it; the destination states are those of
  // `after`. `change.before` is null when the service or its scheduler is new: `state` is then a fresh one.
  void (*adopt)(const ServiceChange& change, DestinationStates states, SchedulerState& state) =
      [](const ServiceChange&, DestinationStates, SchedulerState&) {};

  // The packet alone decides: as long as the servers stay, so does a client's server, with a record or without.
  bool is_by_packet = false;
};

// Every scheduler there is.
std::span<const Scheduler* const> schedulers();
// Null: there is none of that name.
const Scheduler* scheduler_named(std::string_view name);

// TableStore's: sets the plan and the memory of `service`, which follows `before` (null: it is new).
void prepare_service(Service& service, const Service* before);

}  // namespace uvs
