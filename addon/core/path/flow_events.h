// What was done with connections so that clients are served on, counted. A new one is one line in kFlowEvents: its name
// is the counter's name, its text what people read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace uvs {

enum class FlowEvent : uint8_t {
  kLeftServer,
  kUnconfirmedGaveWay,
  kClosedGaveWay,
  kForwardedWithoutRecord,
  kCount,
};
inline constexpr size_t kFlowEventCount = static_cast<size_t>(FlowEvent::kCount);

struct FlowEventInfo {
  FlowEvent event;
  const char* name;
  const char* text;
};

inline constexpr std::array<FlowEventInfo, kFlowEventCount> kFlowEvents = {{
    {FlowEvent::kLeftServer, "left_server", "a client whose server is gone, removed or quiesced was served elsewhere"},
    {FlowEvent::kUnconfirmedGaveWay, "unconfirmed_gave_way", "a half-open or one-packet connection, or the template that it left, ended early to make room"},
    {FlowEvent::kClosedGaveWay, "closed_gave_way", "a connection in TIME_WAIT or CLOSE, or an idle persistence template, ended early to make room, or for a new one with the same replies"},
    {FlowEvent::kForwardedWithoutRecord, "forwarded_without_record", "the connection table was full, and the packet went where its hash leads"},
}};

static_assert([] {
  for (size_t i = 0; i < kFlowEventCount; i++) {
    if (static_cast<size_t>(kFlowEvents[i].event) != i) return false;
  }
  return true;
}(), "kFlowEvents stands in the order of FlowEvent");

}  // namespace uvs
