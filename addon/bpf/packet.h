// What the steering programs read of a packet: addresses, ports, whether it is a fragment, along the IPv6 extension headers.
// The rules are those of the worker's parser (core/net/parse.cc).
#ifndef UVS_BPF_PACKET_H
#define UVS_BPF_PACKET_H

// libbpf's headers need linux/bpf.h before them:
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "shared/maps.h"

/* The field with the fragment offset, host order. */
#define IPV4_OFFSET_MASK 0x1fff
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV6_OFFSET_MASK 0xfff8
#define IPV6_MORE_FRAGMENTS 1

/* Who has CAP_BPF and no CAP_PERFMON may, up to kernel 6.2, overwrite a known number on the stack only
 * as a whole ("attempt to corrupt spilled pointer"). So what the program writes there itself is made
 * of 64-bit words, as here; smaller things are read by a helper into a variable of their own, and the
 * compiler lets no two share a place (-no-stack-coloring) and spills whole registers (-mcpu=v2). */

/* Addresses (IPv4 in the first four bytes), ports as they stand in the packet, where L4 begins. */
struct packet {
  __u64 source[2];
  __u64 destination[2];
  __u64 source_port;
  __u64 destination_port;
  __u64 l4_offset;
  __u64 family;
  __u64 protocol; /* of a later fragment in IPv6: of whatever follows the fragment header */
  __u64 is_fragment;
  __u64 is_later_fragment;
};

static __always_inline bool read_ipv4(struct __sk_buff* skb, __u32 offset, struct packet* packet) {
  struct iphdr ip;
  if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
    return false;
  packet->source[0] = ip.saddr;
  packet->source[1] = 0;
  packet->destination[0] = ip.daddr;
  packet->destination[1] = 0;
  packet->l4_offset = offset + ip.ihl * 4;
  packet->family = 4;
  packet->protocol = ip.protocol;
  packet->is_fragment = (ip.frag_off & bpf_htons(IPV4_OFFSET_MASK | IPV4_MORE_FRAGMENTS)) != 0;
  packet->is_later_fragment = (ip.frag_off & bpf_htons(IPV4_OFFSET_MASK)) != 0;
  return true;
}

/* How far the walk along a chain of IPv6 headers has come: offset and type of the next header, and
 * what was seen. */
#define CHAIN(offset, next) ((__u64)(offset) | (__u64)(next) << 32)
#define CHAIN_OFFSET(chain) ((__u32)(chain))
#define CHAIN_NEXT(chain) ((__u8)((chain) >> 32))
#define CHAIN_SEEN (1ULL << 40)            /* a header has been walked */
#define CHAIN_FRAGMENT_HEADER (1ULL << 41) /* one of them was a fragment header */
#define CHAIN_FRAGMENT (1ULL << 42)        /* and the packet is a fragment */
#define CHAIN_LATER (1ULL << 43)           /* not the first: payload follows */
#define CHAIN_BROKEN (1ULL << 44)          /* cut off, or nothing that the worker takes */
#define CHAIN_END (1ULL << 45)             /* `next` is no extension header */
#define CHAIN_FLAGS (~0ULL << 40)

/* One header further; the rules are parse()'s (core/net/parse.cc). A global function: the verifier
 * looks into it once, and not for each of its paths again at each header. */
__noinline __u64 walk_extension(struct __sk_buff* skb, __u64 chain) {
  const __u32 offset = CHAIN_OFFSET(chain);
  const __u8 next = CHAIN_NEXT(chain);
  __u64 flags = (chain & CHAIN_FLAGS) | CHAIN_SEEN;
  __u8 header[8];
  __u32 size;
  if (next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS && next != IPPROTO_ROUTING &&
      next != IPPROTO_FRAGMENT && next != IPPROTO_AH)
    return chain | (next == IPPROTO_NONE ? CHAIN_BROKEN : CHAIN_END);
  if (bpf_skb_load_bytes(skb, offset, header, sizeof(header))) return chain | CHAIN_BROKEN;
  if (next == IPPROTO_FRAGMENT) {
    const __u16 field = (__u16)header[2] << 8 | header[3];
    if (flags & CHAIN_FRAGMENT_HEADER) return chain | CHAIN_BROKEN;
    flags |= CHAIN_FRAGMENT_HEADER;
    if (field & (IPV6_OFFSET_MASK | IPV6_MORE_FRAGMENTS)) flags |= CHAIN_FRAGMENT;
    if (field & IPV6_OFFSET_MASK) flags |= CHAIN_LATER;
    size = 8;
  } else if (next == IPPROTO_AH) {
    size = ((__u32)header[1] + 2) * 4;
  } else {
    /* Hop-by-hop options stand first or not at all; a route with stops left and the obsolete type 0
     * are the host's. */
    if (next == IPPROTO_HOPOPTS && (chain & CHAIN_SEEN)) return chain | CHAIN_BROKEN;
    if (next == IPPROTO_ROUTING && (header[2] == 0 || header[3] != 0)) return chain | CHAIN_BROKEN;
    size = ((__u32)header[1] + 1) * 8;
  }
  return CHAIN(offset + size, header[0]) | flags;
}

static __always_inline bool read_ipv6(struct __sk_buff* skb, __u32 offset, struct packet* packet) {
  struct ipv6hdr ip __attribute__((aligned(8))); /* addresses are copied in words */
  if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.version != 6) return false;
  /* A jumbogram (RFC 2675) says its length in a hop-by-hop option. */
  const bool is_jumbo = ip.payload_len == 0 && ip.nexthdr == IPPROTO_HOPOPTS;
  __u64 chain = CHAIN(offset + sizeof(ip), is_jumbo ? IPPROTO_NONE : ip.nexthdr);
  /* The last turn finds the end behind as many headers as may be. */
  for (int i = 0; i <= UVS_EXTENSION_LIMIT; i++) {
    chain = walk_extension(skb, chain);
    if (chain & (CHAIN_LATER | CHAIN_BROKEN | CHAIN_END)) break;
  }
  __builtin_memcpy(packet->source, &ip.saddr, 16);
  __builtin_memcpy(packet->destination, &ip.daddr, 16);
  packet->family = 6;
  packet->protocol = chain & (CHAIN_LATER | CHAIN_END) ? CHAIN_NEXT(chain) : IPPROTO_NONE;
  packet->l4_offset = CHAIN_OFFSET(chain);
  packet->is_fragment = (chain & CHAIN_FRAGMENT) != 0;
  packet->is_later_fragment = (chain & CHAIN_LATER) != 0;
  return true;
}

/* Not inlined: used for the packet and for the one that an ICMP error quotes. */
static __noinline bool read_packet(struct __sk_buff* skb, __u8 family, __u32 offset,
                                   struct packet* packet) {
  return family == 4 ? read_ipv4(skb, offset, packet) : read_ipv6(skb, offset, packet);
}

static __always_inline bool read_ports(struct __sk_buff* skb, struct packet* packet) {
  struct {
    __u16 source;
    __u16 destination;
  } ports;
  if (bpf_skb_load_bytes(skb, packet->l4_offset, &ports, sizeof(ports))) return false;
  packet->source_port = ports.source;
  packet->destination_port = ports.destination;
  return true;
}

#endif /* UVS_BPF_PACKET_H */
