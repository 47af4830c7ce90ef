// What forwarding does to a frame in place: addresses and ports (NAT), MACs (every method; all that
// DR needs), TTL. `packet` is the parse of this very frame; the frame's bytes are what counts,
// `packet` gives offsets and kind, and it is not updated. So ask exceeds_mtu and the TTL before
// NAT: an answer quotes the packet as its sender sent it. All checksums are updated incrementally;
// GSO frames and partial checksums stay as they are, offload header untouched.
#pragma once

#include <cstdint>

#include "core/net/address.h"
#include "core/net/frame.h"
#include "core/net/parse.h"

namespace uvs {

// --- NAT: nat.cc
// -------------------------------------------------------------------------------------------------

// Client to server: destination VIP:port becomes `new_destination`:`new_port` (host order).
// kTransport and kLaterFragment; a later fragment has no ports, its addresses alone change.
void nat_request(Frame& frame, const ParsedPacket& packet, const IpAddress& new_destination,
                 uint16_t new_port);

// Server to client: source RIP:port becomes `new_source`:`new_port` (host order).
void nat_reply(Frame& frame, const ParsedPacket& packet, const IpAddress& new_source,
               uint16_t new_port);

// --- every method: direct_route.cc
// -------------------------------------------------------------------------------

void set_ethernet(Frame& frame, const MacAddress& destination, const MacAddress& source);

// False when the TTL or hop limit would run out here (it is 0 or 1): the frame is untouched then,
// and time exceeded is the answer (RFC 1812 5.3.1, RFC 8200 3).
[[nodiscard]] bool decrement_ttl(Frame& frame, const ParsedPacket& packet);

// Is the packet, or a segment that a GSO frame will be cut into, larger than `mtu` bytes at L3?
[[nodiscard]] bool exceeds_mtu(const Frame& frame, const ParsedPacket& packet, uint32_t mtu);

// A TCP GSO frame without DF need not be fragmented: smaller segments will do. True when they now
// fit into `mtu`.
[[nodiscard]] bool shrink_segments(Frame& frame, const ParsedPacket& packet, uint32_t mtu);

// Finishes a partial checksum (OffloadHeader::needs_checksum) in software and clears the flag. Not
// for GSO frames, whose checksums differ for each segment. Cost: one pass over the packet.
void complete_checksum(Frame& frame, const ParsedPacket& packet);

}  // namespace uvs
