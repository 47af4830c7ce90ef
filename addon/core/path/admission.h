// Who may open a connection: what the kernel's input routing refuses before IPVS sees it is refused
// here too, since packets of services never pass that routing. Asked once a connection; a packet of
// an open one has the source that was let in with it.
#pragma once

#include <cstdint>

#include "core/forward/host_view.h"
#include "core/net/parse.h"
#include "core/net/verdict.h"
#include "core/table/forwarding_table.h"

namespace uvs {

// Why a packet that came in by `ifindex` may open nothing; kNone: it may. As ip_route_input (IPv4:
// RFC 1812 5.3.7, accept_local, route_localnet, rp_filter) and ip6_rcv (RFC 4291 2.5.3, 2.7) judge
// it, and stricter where those would feed a loop: a virtual address of an active service counts as
// our own even while the host has it on no device, and IPv6 refuses our own and ::, too.
DropReason why_refused(const ParsedPacket& packet, uint32_t ifindex, const HostView& view,
                       const ForwardingTable& table);

}  // namespace uvs
