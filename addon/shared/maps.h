/* Layout of everything the steering program shares with user space. Fixed-width, no pointers, the same bytes on
 * both sides; C so that both compilers read it. */
#ifndef UVS_SHARED_MAPS_H
#define UVS_SHARED_MAPS_H

#include "shared/flow.h"
#include "shared/limits.h"

/* Mark of a packet that the worker gives back to the host: our program passes it and clears the mark. "uvs" + 1. */
#define UVS_REINJECT_MARK 0x75767301u

/* First two bytes of the destination MAC on the slow-path pair; the other four are the device's ifindex, big-endian.
 * Locally administered, unicast: the host's stack takes such a frame for somebody else's. */
#define UVS_TAG_MAC_0 0x02
#define UVS_TAG_MAC_1 0x75
/* Instead of it in what the worker sends by a device without a link layer: the program at uvs0 sends it on there. */
#define UVS_TAG_MAC_1_OUT 0x76

/* A heartbeat older than the first: the worker is late, and what is ours is dropped, since a RST of the host's would be
 * final and clients send what is lost again. Older than the second: everything passes. */
#define UVS_HEARTBEAT_LATE_NS 1000000000LL
#define UVS_HEARTBEAT_HOLD_NS 10000000000LL

/* Map `control`: one element, mmap'ed. */
struct uvs_control {
  UVS_U64 heartbeat_ns;       /* CLOCK_MONOTONIC of the worker's last turn; 0: there is no worker, pass everything */
  struct uvs_hash_key key;    /* of the flow table */
  UVS_U32 slow_path_ifindex;  /* our end of the slow-path pair: redirect target */
  UVS_U32 bucket_mask;        /* flow table buckets - 1, a power of two */
  UVS_U64 has_every_port;     /* some service is of every port: its key has port 0 */
};

/* Map `services`: hash, key -> 1. Which (protocol, address, port) are ours. Keys are made of 64-bit words: the
 * program writes its stack in no smaller ones (see bpf/packet.h). */
struct uvs_service_key {
  UVS_U64 address[2]; /* as it stands in the packet; IPv4 in the first four bytes */
  UVS_U64 what;
};
/* `port` as it stands in the packet; `family` 4 or 6. */
#define UVS_SERVICE_WHAT(family, protocol, port) \
  ((UVS_U64)(port) | (UVS_U64)(protocol) << 16 | (UVS_U64)(family) << 24)

/* Map `addresses`: hash, key -> 1. What an address is to us. */
enum uvs_address_role {
  UVS_ADDRESS_FRAGMENTS_TO,   /* a VIP: the worker wants later fragments to it */
  UVS_ADDRESS_FRAGMENTS_FROM, /* a server behind NAT: the worker wants later fragments from it */
  UVS_ADDRESS_CLOSED          /* a VIP that the host takes nothing for: what is no service's is dropped */
};
struct uvs_address_key {
  UVS_U64 address[2];
  UVS_U64 what;
};
#define UVS_ADDRESS_WHAT(family, role) ((UVS_U64)(family) | (UVS_U64)(role) << 8)

/* Map `flows`: array of uvs_flow_bucket, see flow.h. */

/* Map `alive`: program array, what the filters that outlive the process call. */
enum uvs_alive_entry {
  UVS_ALIVE_STEER,
  UVS_ALIVE_STEER_IP,
  UVS_ALIVE_STEER_OUT,
  UVS_ALIVE_STEER_OUT_IP,
  UVS_ALIVE_ENTRIES
};

/* Map `devices`: hash, ifindex -> MAC of the device, to restore what the tag replaced. */
struct uvs_device {
  UVS_U8 mac[6];
  UVS_U16 zero;
};

/* Map `steer_counters`: per CPU array. */
enum uvs_steer_counter {
  UVS_STEER_SERVICE,     /* redirected: destination is a service */
  UVS_STEER_REPLY,       /* redirected: expected reply */
  UVS_STEER_ICMP,        /* redirected: ICMP error about a connection */
  UVS_STEER_FRAGMENT,    /* redirected: fragment of a known address */
  UVS_STEER_REINJECTED,  /* passed: given back by the worker */
  UVS_STEER_LATE,        /* dropped: ours, but the worker is late */
  UVS_STEER_STALE,       /* passed although ours: no worker alive */
  UVS_STEER_REFUSED,     /* dropped: came out of the pair without a tag, or for a device that is not attached */
  UVS_STEER_CLOSED,      /* dropped: for the host itself, at an address that is closed to it */
  UVS_STEER_TAGGED,      /* passed: has a VLAN id; the VLAN's own device, where there is one, is steered */
  UVS_STEER_COUNTERS
};

#ifdef __cplusplus
static_assert(sizeof(uvs_control) == 40 && sizeof(uvs_service_key) == 24 && sizeof(uvs_address_key) == 24);
static_assert(sizeof(uvs_device) == 8);
#endif

#endif /* UVS_SHARED_MAPS_H */
