// The mutable side of the table: per service and per destination what the worker writes on every
// packet, in slots that outlive a generation. One writer (the worker); the control thread reads
// counters at any time, hence relaxed atomics, which cost a plain load and store here.
#pragma once

#include <cstdint>

#include "core/net/counted.h"
#include "core/table/forwarding_table.h"

namespace uvs {

// As IPVS counts: packets and bytes at the IP layer; a GSO frame is one packet.
struct TrafficState {
  Counted<uint64_t> connections, in_packets, out_packets, in_bytes, out_bytes;
};

// What a scheduler remembers between two choices. kListHead: before the first destination.
inline constexpr uint32_t kListHead = 0xffffffff;
struct SchedulerState {
  uint32_t position;  // rr, wrr: index of the destination chosen last
  uint32_t level;     // wrr: the weight that a destination needs now
  uint64_t random;    // twos: its generator's; seeded by whoever makes the state
};

struct alignas(64) ServiceState {
  SchedulerState scheduler;
  TrafficState traffic;
};

// Is the server still there for its connections?
enum class Presence : uint8_t {
  kGone,      // not in the table (its checks failed, or it left): nothing is sent to it
  kRemoved,   // left the configuration; its connections run out
  kQuiesced,  // weight 0
  kServing,
};

// 128 bytes: what schedulers and connections touch stands in the first line, traffic in the second.
struct alignas(128) DestinationState {
  const Destination* current;  // null: removed; its connections may still be there
  uint32_t position;           // in Service::destinations, while current
  ServiceSlot service_slot;
  Counted<uint32_t> references;  // connections that hold this slot
  Counted<uint32_t> active, inactive, persistent;
  Counted<bool> is_overloaded;
  Counted<bool> is_local;
  bool is_passed_over;  // the worker's own: by the choice that is under way
  Presence presence;    // the worker's own; kGone as long as `current` is null
  alignas(64) TrafficState traffic;

  uint32_t connections() const { return active.get() + inactive.get() + persistent.get(); }
  // lc, wlc: an active connection weighs as 256 inactive ones.
  uint64_t overhead() const { return uint64_t{active.get()} * 256 + inactive.get(); }
  bool is_usable() const {
    return current->spec.weight > 0 && !is_overloaded.get() && !is_passed_over;
  }

  void set_current(const Destination* destination) {
    current = destination;
    presence = destination == nullptr           ? Presence::kGone
               : destination->spec.is_removed   ? Presence::kRemoved
               : destination->spec.weight == 0  ? Presence::kQuiesced
                                                : Presence::kServing;
  }

  // A new connection; it counts as inactive until its state says otherwise.
  void bind() { bind_as(inactive); }
  // A new persistence template.
  void bind_template() { bind_as(persistent); }
  void activate() {
    active.add(1);
    inactive.subtract(1);
  }
  void deactivate() {
    active.subtract(1);
    inactive.add(1);
  }
  // The end of a connection, and of a template.
  void unbind(bool is_active) { unbind_from(is_active ? active : inactive); }
  void unbind_template() { unbind_from(persistent); }

 private:
  void bind_as(Counted<uint32_t>& kind) {
    references.add(1);
    kind.add(1);
    const uint32_t upper = current->spec.upper_threshold;
    if (upper != 0 && connections() >= upper) is_overloaded.set(true);
  }
  void unbind_from(Counted<uint32_t>& kind) {
    references.subtract(1);
    kind.subtract(1);
    if (!is_overloaded.get()) return;
    const uint64_t upper = current ? current->spec.upper_threshold : 0;
    const uint64_t lower = current ? current->spec.lower_threshold : 0;
    const uint64_t total = connections();
    // Without a lower threshold, three quarters of the upper one.
    const bool is_relieved = lower != 0 ? total < lower : upper == 0 || total * 4 < upper * 3;
    if (is_relieved) is_overloaded.set(false);
  }
};
static_assert(sizeof(DestinationState) == 128 && sizeof(ServiceState) == 64);

}  // namespace uvs
