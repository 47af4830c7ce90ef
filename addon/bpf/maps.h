/* Layout of everything the steering program shares with user space. Fixed-width, no pointers, the same bytes on
 * both sides; C so that both compilers read it. */
#ifndef UVS_BPF_MAPS_H
#define UVS_BPF_MAPS_H

#ifdef __cplusplus
#include <cstdint>
#define UVS_U8 uint8_t
#define UVS_U16 uint16_t
#define UVS_U32 uint32_t
#else
#include <linux/types.h>
#define UVS_U8 __u8
#define UVS_U16 __u16
#define UVS_U32 __u32
#endif

#include "core/net/siphash.h"

/* Mark of a packet that the worker gives back to the host: our program passes it and clears the mark. "uvs" + 1. */
#define UVS_REINJECT_MARK 0x75767301u

/* First two bytes of the destination MAC on the slow-path pair; the other four are the device's ifindex, big-endian.
 * Locally administered, unicast: the host's stack takes such a frame for somebody else's. */
#define UVS_TAG_MAC_0 0x02
#define UVS_TAG_MAC_1 0x75

/* Map `control`: one element, mmap'ed. */
struct uvs_control {
  UVS_U64 heartbeat_ns;       /* CLOCK_MONOTONIC of the worker's last turn; older than a second: pass everything */
  struct uvs_hash_key key;    /* of the flow table */
  UVS_U32 slow_path_ifindex;  /* our end of the slow-path pair: redirect target */
  UVS_U32 bucket_mask;        /* flow table buckets - 1, a power of two */
};

/* Map `services`: hash, key -> 1. Which (protocol, address, port) are ours. */
struct uvs_service_key {
  UVS_U8 address[16]; /* IPv4 in the first four bytes */
  UVS_U16 port;       /* network order */
  UVS_U8 protocol;
  UVS_U8 family;      /* 4 or 6 */
};

/* Map `addresses`: hash, key -> 1. What an address is to us. */
enum uvs_address_role {
  UVS_ADDRESS_FRAGMENTS_TO,   /* a VIP: the worker wants later fragments to it */
  UVS_ADDRESS_FRAGMENTS_FROM, /* a server behind NAT: the worker wants later fragments from it */
  UVS_ADDRESS_CLOSED          /* a VIP that the host takes nothing for: what is no service's is dropped */
};
struct uvs_address_key {
  UVS_U8 address[16];
  UVS_U8 family;
  UVS_U8 role;
  UVS_U16 zero;
};

/* Map `flows`: array of buckets, mmap'ed, written by the workers, read by the program. A slot is free when key is 0.
 * A key is uvs_reply_hash of the packet that is expected. `destination`, `state` and `last_seen` are for flows that
 * the program forwards by itself (flow offload); a reply that only has to reach the worker uses `key` and `flags`. */
#define UVS_FLOW_REPLY 1
struct uvs_flow_slot {
  UVS_U64 key;
  UVS_U16 destination;
  UVS_U8 state;
  UVS_U8 flags;
  UVS_U32 last_seen;
};
#define UVS_FLOW_SLOTS 4
struct uvs_flow_bucket {
  struct uvs_flow_slot slots[UVS_FLOW_SLOTS];
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
  UVS_STEER_FRAGMENT,    /* redirected: later fragment of a known address */
  UVS_STEER_REINJECTED,  /* passed: given back by the worker */
  UVS_STEER_STALE,       /* passed although ours: no worker alive */
  UVS_STEER_REFUSED,     /* dropped: came out of the pair without a tag, or for a device that is not attached */
  UVS_STEER_CLOSED,      /* dropped: for the host itself, at an address that is closed to it */
  UVS_STEER_COUNTERS
};

#ifdef __cplusplus
static_assert(sizeof(uvs_control) == 32 && sizeof(uvs_service_key) == 20 && sizeof(uvs_address_key) == 20);
static_assert(sizeof(uvs_flow_slot) == 16 && sizeof(uvs_flow_bucket) == 64 && sizeof(uvs_device) == 8);
#endif

/* Hash of an expected packet: from `source`:sport to `destination`:dport. Ports as they stand in the packet
 * (network order, read as little-endian u16). Never 0. The two buckets of a key are key & mask and (key >> 32) & mask. */
static inline __attribute__((always_inline)) UVS_U64 uvs_reply_hash(const UVS_U64 source[2], const UVS_U64 destination[2],
                                                                    UVS_U16 sport, UVS_U16 dport, UVS_U8 protocol,
                                                                    UVS_U8 family, const struct uvs_hash_key* key) {
  UVS_U64 words[5];
  UVS_U64 hash;
  const UVS_U64 tail = (UVS_U64)sport | (UVS_U64)dport << 16 | (UVS_U64)protocol << 32 | (UVS_U64)family << 40;
  if (family == 4) {
    words[0] = (source[0] & 0xffffffffULL) | destination[0] << 32;
    words[1] = tail;
    hash = uvs_siphash(words, 2, key);
  } else {
    words[0] = source[0];
    words[1] = source[1];
    words[2] = destination[0];
    words[3] = destination[1];
    words[4] = tail;
    hash = uvs_siphash(words, 5, key);
  }
  return hash ? hash : 1;
}

#endif /* UVS_BPF_MAPS_H */
