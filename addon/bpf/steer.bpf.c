// Who gets the packet: the tc programs of packet steering. One decision per packet at the ingress
// of each attached device: ours goes into the slow-path pair, everything else to the kernel,
// untouched. Keeps no state of its own; shared/maps.h has the layout of what it reads. Drops what is for
// a closed address (RFC 9568 Accept_Mode False), and what is ours while the worker is late: clients
// send again, and the RST of a host that passes for the service would be final. Late ends after ten
// seconds, or with the process; then everything passes.
//
// Every offset is read with bpf_skb_load_bytes, not by direct access: headers of a GSO frame may
// lie outside the linear part, and the helper costs less than making it linear.

// libbpf's headers need linux/bpf.h before them:
// clang-format off
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
// clang-format on

#include "shared/maps.h"

/* The same number means "on to the next program" to tcx and "no match, next filter" to cls_bpf:
 * what the user has attached behind us still runs. */
#define NEXT_PROGRAM TC_ACT_UNSPEC
/* Extension headers that are walked; a packet with more is the host's business. */
#define EXTENSION_LIMIT 6
/* ICMP errors (RFC 792); <linux/icmp.h> can't be included here: it reaches for the C library. */
#define ICMP_DESTINATION_UNREACHABLE 3
#define ICMP_SOURCE_QUENCH 4
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12
/* ICMPv6: errors are the types 1 to 127 (RFC 4443 2.1). */
#define ICMPV6_FIRST_INFORMATIONAL 128
/* Neighbour Discovery (RFC 4861 4): router solicitation to redirect. */
#define ICMPV6_FIRST_DISCOVERY 133
#define ICMPV6_LAST_DISCOVERY 137
/* A fragment offset field without its flags, host order. */
#define IPV4_OFFSET_MASK 0x1fff
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV6_OFFSET_MASK 0xfff8
#define IPV6_MORE_FRAGMENTS 0x0001

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct uvs_service_key);
  __type(value, __u8);
} uvs_services SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 131072);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct uvs_address_key);
  __type(value, __u8);
} uvs_addresses SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1024); /* the loader sets it from the limit of connections */
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct uvs_flow_bucket);
} uvs_flows SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct uvs_control);
} uvs_control SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32);
  __type(value, struct uvs_device);
} uvs_devices SEC(".maps");

/* What uvs_steer_while_alive calls. The kernel empties it when the last descriptor of it is closed. */
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} uvs_alive SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, UVS_STEER_COUNTERS);
  __type(key, __u32);
  __type(value, __u64);
} uvs_counters SEC(".maps");

/* Addresses (IPv4 in the first four bytes) and where L4 begins. */
struct packet {
  __u64 source[2];
  __u64 destination[2];
  __u32 l4_offset;
  __u8 family;
  __u8 protocol;
  bool is_first_fragment;
  bool is_later_fragment;
};

struct ports {
  __u16 source;
  __u16 destination;
};

static __always_inline void count(__u32 counter) {
  __u64* value = bpf_map_lookup_elem(&uvs_counters, &counter);
  if (value) *value += 1;
}

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
  packet->is_later_fragment = (ip.frag_off & bpf_htons(IPV4_OFFSET_MASK)) != 0;
  packet->is_first_fragment =
      !packet->is_later_fragment && (ip.frag_off & bpf_htons(IPV4_MORE_FRAGMENTS)) != 0;
  return true;
}

static __always_inline bool read_ipv6(struct __sk_buff* skb, __u32 offset, struct packet* packet) {
  struct ipv6hdr ip;
  if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.version != 6) return false;
  __builtin_memcpy(packet->source, &ip.saddr, 16);
  __builtin_memcpy(packet->destination, &ip.daddr, 16);
  packet->family = 6;
  packet->is_first_fragment = false;
  packet->is_later_fragment = false;
  __u8 next = ip.nexthdr;
  offset += sizeof(ip);
  for (int i = 0; i < EXTENSION_LIMIT; i++) {
    __u8 header[4]; /* next header, length in 8 bytes beyond the first 8, and a fragment header's
                       offset field */
    if (next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS && next != IPPROTO_ROUTING &&
        next != IPPROTO_FRAGMENT)
      break;
    if (bpf_skb_load_bytes(skb, offset, header, sizeof(header))) return false;
    if (next == IPPROTO_FRAGMENT) {
      offset += 8;
      packet->is_later_fragment = (((__u16)header[2] << 8 | header[3]) & IPV6_OFFSET_MASK) != 0;
      packet->is_first_fragment =
          !packet->is_later_fragment && (header[3] & IPV6_MORE_FRAGMENTS) != 0;
    } else {
      offset += ((__u32)header[1] + 1) * 8;
    }
    next = header[0];
    if (packet->is_later_fragment) break; /* what follows is payload */
  }
  packet->protocol = next;
  packet->l4_offset = offset;
  return true;
}

/* Not inlined: used for the packet and for the one that an ICMP error quotes. */
static __noinline bool read_packet(struct __sk_buff* skb, __u8 family, __u32 offset,
                                   struct packet* packet) {
  return family == 4 ? read_ipv4(skb, offset, packet) : read_ipv6(skb, offset, packet);
}

static __always_inline bool is_service(const __u64 address[2], __u16 port,
                                       const struct packet* packet) {
  struct uvs_service_key key = {
      .port = port, .protocol = packet->protocol, .family = packet->family};
  __builtin_memcpy(key.address, address, 16);
  return bpf_map_lookup_elem(&uvs_services, &key) != 0;
}

static __always_inline bool has_role(const __u64 address[2], __u8 role,
                                     const struct packet* packet) {
  struct uvs_address_key key = {.family = packet->family, .role = role};
  __builtin_memcpy(key.address, address, 16);
  return bpf_map_lookup_elem(&uvs_addresses, &key) != 0;
}

/* Does the worker see all fragments between these addresses? First ones, too, so that it knows of a
 * later one that comes before its first whose it is. */
static __always_inline bool has_fragment_role(const struct packet* packet) {
  return has_role(packet->destination, UVS_ADDRESS_FRAGMENTS_TO, packet) ||
         has_role(packet->source, UVS_ADDRESS_FRAGMENTS_FROM, packet);
}

static __always_inline bool bucket_has(__u32 index, __u64 hash) {
  struct uvs_flow_bucket* bucket = bpf_map_lookup_elem(&uvs_flows, &index);
  if (!bucket) return false;
  /* Volatile: the worker writes keys by single stores while we read. */
  volatile struct uvs_flow_slot* slots = bucket->slots;
  return slots[0].key == hash || slots[1].key == hash || slots[2].key == hash ||
         slots[3].key == hash;
}

/* Not inlined: the 5-word hash twice would double the program. */
static __noinline bool is_expected(const struct uvs_control* control, const struct packet* packet,
                                   const struct ports* ports) {
  const __u64 hash =
      uvs_reply_hash(packet->source, packet->destination, ports->source, ports->destination,
                     packet->protocol, packet->family, &control->key);
  const __u32 mask = control->bucket_mask;
  return bucket_has((__u32)hash & mask, hash) || bucket_has((__u32)(hash >> 32) & mask, hash);
}

/* An ICMP error is ours when the packet it quotes left a service, or was sent to a server for a
 * client. */
static __always_inline bool is_error_about_ours(struct __sk_buff* skb, const struct packet* outer,
                                                const struct uvs_control* control) {
  __u8 type = 0;
  struct packet quoted;
  struct ports ports;
  if (bpf_skb_load_bytes(skb, outer->l4_offset, &type, 1)) return false;
  if (outer->family == 4) {
    if (type != ICMP_DESTINATION_UNREACHABLE && type != ICMP_SOURCE_QUENCH &&
        type != ICMP_TIME_EXCEEDED && type != ICMP_PARAMETER_PROBLEM)
      return false;
  } else if (type == 0 || type >= ICMPV6_FIRST_INFORMATIONAL) {
    return false;
  }
  if (!read_packet(skb, outer->family, outer->l4_offset + 8, &quoted) || quoted.is_later_fragment)
    return false;
  if (quoted.protocol != IPPROTO_TCP && quoted.protocol != IPPROTO_UDP) return false;
  if (bpf_skb_load_bytes(skb, quoted.l4_offset, &ports, sizeof(ports))) return false;
  if (is_service(quoted.source, ports.source, &quoted)) return true;

  /* The reply to what is quoted. Not a copy: the verifier minds the bytes between the members. */
  const struct packet reply = {
      .source = {quoted.destination[0], quoted.destination[1]},
      .destination = {quoted.source[0], quoted.source[1]},
      .family = quoted.family,
      .protocol = quoted.protocol,
  };
  const struct ports reply_ports = {.source = ports.destination, .destination = ports.source};
  return is_expected(control, &reply, &reply_ports);
}

/* RFC 9568 6.4.3 (650): a master accepts Neighbour Discovery for its addresses in any mode. */
static __always_inline bool is_neighbour_discovery(struct __sk_buff* skb,
                                                   const struct packet* packet) {
  __u8 type = 0;
  return packet->family == 6 && packet->protocol == IPPROTO_ICMPV6 &&
         bpf_skb_load_bytes(skb, packet->l4_offset, &type, 1) == 0 &&
         type >= ICMPV6_FIRST_DISCOVERY && type <= ICMPV6_LAST_DISCOVERY;
}

/* What makes the packet ours, as the counter of it, or UVS_STEER_COUNTERS: not ours. */
static __always_inline __u32 why_ours(struct __sk_buff* skb, const struct packet* packet,
                                      const struct uvs_control* control) {
  struct ports ports;
  if (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP) {
    if (packet->is_later_fragment) {
      return has_fragment_role(packet) ? UVS_STEER_FRAGMENT : UVS_STEER_COUNTERS;
    }
    if (bpf_skb_load_bytes(skb, packet->l4_offset, &ports, sizeof(ports)))
      return UVS_STEER_COUNTERS;
    if (is_service(packet->destination, ports.destination, packet)) return UVS_STEER_SERVICE;
    if (is_expected(control, packet, &ports)) return UVS_STEER_REPLY;
    /* What is given back to the host passes a closed address. */
    return packet->is_first_fragment && has_fragment_role(packet) &&
                   !has_role(packet->destination, UVS_ADDRESS_CLOSED, packet)
               ? UVS_STEER_FRAGMENT
               : UVS_STEER_COUNTERS;
  }
  if (packet->protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) &&
      !packet->is_later_fragment) {
    return is_error_about_ours(skb, packet, control) ? UVS_STEER_ICMP : UVS_STEER_COUNTERS;
  }
  return UVS_STEER_COUNTERS;
}

/* The counter of what is to be done about the packet; UVS_STEER_COUNTERS: it is the host's. */
static __always_inline __u32 classify(struct __sk_buff* skb, const struct uvs_control* control) {
  struct packet packet;
  const __u8 family = skb->protocol == bpf_htons(ETH_P_IP) ? 4 : 6;
  if (!read_packet(skb, family, ETH_HLEN, &packet)) return UVS_STEER_COUNTERS;
  const __u32 why = why_ours(skb, &packet, control);
  if (why < UVS_STEER_COUNTERS) return why;
  return has_role(packet.destination, UVS_ADDRESS_CLOSED, &packet) &&
                 !is_neighbour_discovery(skb, &packet)
             ? UVS_STEER_CLOSED
             : UVS_STEER_COUNTERS;
}

/* Ingress of an attached device. */
SEC("tc")
int uvs_steer(struct __sk_buff* skb) {
  if (skb->mark == UVS_REINJECT_MARK) {
    skb->mark = 0;
    count(UVS_STEER_REINJECTED);
    return NEXT_PROGRAM;
  }
  if (skb->pkt_type != PACKET_HOST || skb->vlan_present) return NEXT_PROGRAM;
  if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
    return NEXT_PROGRAM;

  const __u32 zero = 0;
  const struct uvs_control* control = bpf_map_lookup_elem(&uvs_control, &zero);
  if (!control) return NEXT_PROGRAM;
  const __u32 why = classify(skb, control);
  if (why >= UVS_STEER_COUNTERS) return NEXT_PROGRAM;

  /* The coarse clock lags by up to a tick, so the heartbeat may lie in its future: a signed
   * difference. */
  const __u64 heartbeat = *(volatile const __u64*)&control->heartbeat_ns;
  const __s64 age = (__s64)(bpf_ktime_get_coarse_ns() - heartbeat);
  if (heartbeat == 0 || age > (__s64)UVS_HEARTBEAT_HOLD_NS) {
    count(UVS_STEER_STALE);
    return NEXT_PROGRAM;
  }
  if (why == UVS_STEER_CLOSED) {
    count(why);
    return TC_ACT_SHOT;
  }
  if (age > (__s64)UVS_HEARTBEAT_LATE_NS) {
    count(UVS_STEER_LATE);
    return TC_ACT_SHOT;
  }
  const __u32 ifindex = skb->ifindex;
  const __u8 tag[ETH_ALEN] = {UVS_TAG_MAC_0, UVS_TAG_MAC_1, ifindex >> 24,
                              ifindex >> 16, ifindex >> 8,  ifindex};
  if (bpf_skb_store_bytes(skb, 0, tag, sizeof(tag), 0)) return NEXT_PROGRAM;
  count(why);
  return (int)bpf_redirect(control->slow_path_ifindex, 0);
}

/* Ingress of an attached device where the filter outlives the process (clsact): steers as long as somebody holds the
 * map's descriptor. */
SEC("tc")
int uvs_steer_while_alive(struct __sk_buff* skb) {
  bpf_tail_call(skb, &uvs_alive, 0);
  return NEXT_PROGRAM;
}

/* Ingress of uvs0: what the worker gives back to the host, restored and marked. Nothing else may
 * come out of the pair. */
SEC("tc")
int uvs_reinject(struct __sk_buff* skb) {
  __u8 tag[ETH_ALEN];
  if (bpf_skb_load_bytes(skb, 0, tag, sizeof(tag)) || tag[0] != UVS_TAG_MAC_0 ||
      tag[1] != UVS_TAG_MAC_1)
    goto refuse;
  const __u32 ifindex = (__u32)tag[2] << 24 | (__u32)tag[3] << 16 | (__u32)tag[4] << 8 | tag[5];
  const struct uvs_device* device = bpf_map_lookup_elem(&uvs_devices, &ifindex);
  if (!device || bpf_skb_store_bytes(skb, 0, device->mac, sizeof(device->mac), 0)) goto refuse;
  skb->mark = UVS_REINJECT_MARK;
  return (int)bpf_redirect(ifindex, BPF_F_INGRESS);

refuse:
  count(UVS_STEER_REFUSED);
  return TC_ACT_SHOT;
}

/* Ingress of uvs1: the worker's tap has seen the frame already; the host's stack spends nothing on
 * it. */
SEC("tc")
int uvs_sink(struct __sk_buff* skb) {
  (void)skb;
  return TC_ACT_SHOT;
}

/* bpf_redirect and the skb helpers are GPL-only in part. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";
