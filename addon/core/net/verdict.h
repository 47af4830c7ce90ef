// The one decision that every packet leaves with, and the reason when it is dropped.
// A new reason is one line in kDropReasons: its name is the counter's name, its text what people read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace uvs {

enum class Verdict : uint8_t {
  kForward,  // rewritten; transmit on egress_ifindex
  kAnswer,   // replaced by our answer; transmit on egress_ifindex
  kToHost,   // untouched; give it back to the host's stack at its ingress device
  kDrop,     // drop_reason says why
  kHeld,     // copied aside until its next hop is resolved
};
inline constexpr size_t kVerdictCount = 5;

enum class DropReason : uint8_t {
  kNone,
  kFrameTooShort,
  kTruncatedHeader,
  kBadHeaderLength,
  kBadTotalLength,
  kBadChecksum,
  kSourceRouted,
  kMartian,
  kOwnSource,
  kReversePath,
  kClientDenied,
  kUnknownFragment,
  kFragmentTableFull,
  kConnectionTableFull,
  kReplyTupleTaken,
  kReplyMapFull,
  kDestinationRemoved,
  kNoUsableDestination,
  kNoRoute,
  kNeighbourFailed,
  kHoldQueueFull,
  kTtlExceeded,
  kTooBig,
  kIcmpUnusable,
  kAnswerRateLimited,
  kCount,
};
inline constexpr size_t kDropReasonCount = static_cast<size_t>(DropReason::kCount);

struct DropReasonInfo {
  DropReason reason;
  const char* name;
  const char* text;
};

inline constexpr std::array<DropReasonInfo, kDropReasonCount> kDropReasons = {{
    {DropReason::kNone, "none", "not dropped"},
    {DropReason::kFrameTooShort, "frame_too_short", "the frame ends inside its Ethernet header"},
    {DropReason::kTruncatedHeader, "truncated_header", "the packet ends inside a header"},
    {DropReason::kBadHeaderLength, "bad_header_length", "a header states a length below its minimum or beyond the packet"},
    {DropReason::kBadTotalLength, "bad_total_length", "the IP length is larger than the frame or smaller than the headers"},
    {DropReason::kBadChecksum, "bad_checksum", "the IPv4 header checksum is wrong"},
    {DropReason::kSourceRouted, "source_routed", "the packet carries a source-route option or routing header"},
    {DropReason::kMartian, "martian", "the source, or a loopback destination, can't have come over a network: loopback, multicast, broadcast, unspecified"},
    {DropReason::kOwnSource, "own_source", "the source is an address of this machine or of one of its services, and the packet came from outside"},
    {DropReason::kReversePath, "reverse_path", "the way back to the source is not by the device that the packet came in by (rp_filter)"},
    {DropReason::kClientDenied, "client_denied", "director { } does not let the client open connections (allow, deny)"},
    {DropReason::kUnknownFragment, "unknown_fragment", "a later fragment waited in vain for its first one"},
    {DropReason::kFragmentTableFull, "fragment_table_full", "too many fragments wait for their first ones: the oldest gave way"},
    {DropReason::kConnectionTableFull, "connection_table_full", "the connection table has reached its limit"},
    {DropReason::kReplyTupleTaken, "reply_tuple_taken", "another connection already expects the same replies from this server"},
    {DropReason::kReplyMapFull, "reply_map_full", "the map of expected replies has no room for the connection"},
    {DropReason::kDestinationRemoved, "destination_removed", "the connection's server is no longer in the table"},
    {DropReason::kNoUsableDestination, "no_usable_destination", "no server of the service can take a connection"},
    {DropReason::kNoRoute, "no_route", "no route leads to the next hop"},
    {DropReason::kNeighbourFailed, "neighbour_failed", "the next hop does not answer ARP or neighbour discovery"},
    {DropReason::kHoldQueueFull, "hold_queue_full", "too many packets wait for an unresolved next hop"},
    {DropReason::kTtlExceeded, "ttl_exceeded", "the TTL or hop limit ran out here"},
    {DropReason::kTooBig, "too_big", "the packet is larger than the way out allows"},
    {DropReason::kIcmpUnusable, "icmp_unusable", "an ICMP error quotes too little of the packet it is about"},
    {DropReason::kAnswerRateLimited, "answer_rate_limited", "an ICMP answer was due but the rate limit was reached"},
}};

constexpr const DropReasonInfo& info(DropReason reason) { return kDropReasons[static_cast<size_t>(reason)]; }

static_assert([] {
  for (size_t i = 0; i < kDropReasonCount; i++) {
    if (static_cast<size_t>(kDropReasons[i].reason) != i) return false;
  }
  return true;
}(), "kDropReasons stands in the order of DropReason");

}  // namespace uvs
