// ICMP errors: those that others send about our connections (translated for NAT), and our own
// answers, built in place. Answers are Ethernet frames back to where the packet came from: MACs
// swapped, offload header cleared, checksums whole.
#pragma once

#include <cstdint>

#include "core/net/address.h"
#include "core/net/frame.h"
#include "core/net/parse.h"

namespace uvs {

// --- translation: packet.kind is kIcmpError
// ----------------------------------------------------------------------

// From the servers' side: the quote is of client -> RIP:port. The quoted destination becomes the
// service's, and so does the outer source when the server itself reports; a router stays who it is.
// The outer destination is the client already.
void nat_icmp_to_client(Frame& frame, const ParsedPacket& packet, const IpAddress& virtual_address,
                        uint16_t virtual_port);

// From the clients' side: the quote is of VIP:port -> client. The quoted source and the outer
// destination become the real server's. For DR and TUN nothing is translated: the error goes to the
// server's MAC as it is.
void nat_icmp_to_server(Frame& frame, const ParsedPacket& packet, const IpAddress& real_address,
                        uint16_t real_port);

// --- answers: answer.cc
// ------------------------------------------------------------------------------------------

enum class Answer : uint8_t {
  kPortUnreachable,  // 3/3, ICMPv6 1/4
  kHostUnreachable,  // 3/1, ICMPv6 1/3
  kNoRoute,          // 3/0, ICMPv6 1/0
  kTooBig,           // 3/4 fragmentation needed, ICMPv6 2/0; with the MTU of the way out
  kTtlExceeded,      // 11/0, ICMPv6 3/0
};

// Turns the frame into an ICMP error about itself, from `from` (the VIP for kPortUnreachable, else
// an address of the ingress device: HostView::source_address). `mtu` is for kTooBig only. False and
// an untouched frame when none may be sent: about ICMP errors, later fragments, packets that are
// not from one host or not to one (RFC 1122 3.2.2, RFC 4443 2.4 e), and when `from` is all zero.
[[nodiscard]] bool answer_with_icmp(Frame& frame, const ParsedPacket& packet, Answer answer,
                                    const IpAddress& from, uint32_t mtu = 0);

}  // namespace uvs
