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
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/packet.h"
#include "shared/maps.h"

/* The same number means "on to the next program" to tcx and "no match, next filter" to cls_bpf:
 * what the user has attached behind us still runs. */
#define NEXT_PROGRAM TC_ACT_UNSPEC
/* ICMP errors (RFC 792); <linux/icmp.h> can't be included here: it reaches for the C library. */
#define ICMP_DESTINATION_UNREACHABLE 3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12
#define ICMPV6_FIRST_ERROR 1 /* destination unreachable (RFC 4443 3) … */
#define ICMPV6_LAST_ERROR 4  /* … to parameter problem */
/* Neighbour Discovery (RFC 4861 4): router solicitation to redirect. */
#define ICMPV6_FIRST_DISCOVERY 133
#define ICMPV6_LAST_DISCOVERY 137
#define VLAN_ID_MASK 0xfff
#define ADDRESS_FAMILY_PACKET 17 /* AF_PACKET of <sys/socket.h> */

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

/* Replies of this machine's own servers that leave in fragments: which packets' later ones are ours, too. */
struct out_fragment_key {
  __u64 source[2];
  __u64 destination[2];
  __u64 what; /* family and identification */
};
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024);
  __type(key, struct out_fragment_key);
  __type(value, __u64);
} uvs_out_frags SEC(".maps");

/* What the programs named uvs_live_… call. The kernel empties it when the last descriptor of it is closed. */
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, UVS_ALIVE_ENTRIES);
  __type(key, __u32);
  __type(value, __u32);
} uvs_alive SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, UVS_STEER_COUNTERS);
  __type(key, __u32);
  __type(value, __u64);
} uvs_counters SEC(".maps");

static __noinline void count(__u32 counter) {
  __u64* value = bpf_map_lookup_elem(&uvs_counters, &counter);
  if (value) *value += 1;
}

static __noinline bool is_service(const __u64 address[2], __u64 port,
                                       const struct packet* packet) {
  const struct uvs_service_key key = {
      .address = {address[0], address[1]},
      .what = UVS_SERVICE_WHAT(packet->family, packet->protocol, port),
  };
  return bpf_map_lookup_elem(&uvs_services, &key) != 0;
}

/* Of that port, or of every port. */
static __always_inline bool is_any_service(const __u64 address[2], __u64 port, const struct packet* packet,
                                           const struct uvs_control* control) {
  if (is_service(address, port, packet)) return true;
  return *(volatile const __u64*)&control->has_every_port && is_service(address, 0, packet);
}

static __noinline bool has_role(const __u64 address[2], enum uvs_address_role role,
                                     const struct packet* packet) {
  const struct uvs_address_key key = {
      .address = {address[0], address[1]},
      .what = UVS_ADDRESS_WHAT(packet->family, role),
  };
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
static __noinline bool is_expected(const struct uvs_control* control,
                                   const struct packet* packet) {
  const __u64 hash = uvs_reply_hash(packet->source, packet->destination, packet->source_port,
                                    packet->destination_port, packet->protocol, packet->family,
                                    &control->key);
  const __u32 mask = control->bucket_mask;
  return bucket_has((__u32)hash & mask, hash) || bucket_has((__u32)(hash >> 32) & mask, hash);
}

static __always_inline bool is_transport(__u64 protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

static __always_inline void swap_words(__u64* a, __u64* b) {
  const __u64 word = *a;
  *a = *b;
  *b = word;
}

/* Makes of a packet the reply to it. */
static __always_inline void turn_round(struct packet* packet) {
  swap_words(&packet->source[0], &packet->destination[0]);
  swap_words(&packet->source[1], &packet->destination[1]);
  swap_words(&packet->source_port, &packet->destination_port);
}

/* An ICMP error is ours when the packet it quotes left a service, or was sent to a server for a
 * client. */
static __always_inline bool is_error_about_ours(struct __sk_buff* skb, const struct packet* outer,
                                                const struct uvs_control* control) {
  __u8 type;
  struct packet quoted = {0}; /* the verifier follows speculation past a read that failed */
  if (bpf_skb_load_bytes(skb, outer->l4_offset, &type, 1)) return false;
  if (outer->family == 4) {
    if (type != ICMP_DESTINATION_UNREACHABLE && type != ICMP_TIME_EXCEEDED &&
        type != ICMP_PARAMETER_PROBLEM)
      return false;
  } else if (type < ICMPV6_FIRST_ERROR || type > ICMPV6_LAST_ERROR) {
    return false;
  }
  if (!read_packet(skb, outer->family, outer->l4_offset + 8, &quoted) || quoted.is_later_fragment)
    return false;
  if (!is_transport(quoted.protocol)) return false;
  if (!read_ports(skb, &quoted)) return false;
  if (is_any_service(quoted.source, quoted.source_port, &quoted, control)) return true;

  turn_round(&quoted);
  return is_expected(control, &quoted);
}

/* RFC 9568 6.4.3 (650): a master accepts Neighbour Discovery for its addresses in any mode. */
static __always_inline bool is_neighbour_discovery(struct __sk_buff* skb,
                                                   const struct packet* packet) {
  __u8 type;
  return packet->family == 6 && packet->protocol == IPPROTO_ICMPV6 &&
         bpf_skb_load_bytes(skb, packet->l4_offset, &type, 1) == 0 &&
         type >= ICMPV6_FIRST_DISCOVERY && type <= ICMPV6_LAST_DISCOVERY;
}

/* Behind extension headers only the first fragment knows the protocol (RFC 8200 4.5). */
static __always_inline bool may_be_transport(const struct packet* packet) {
  return is_transport(packet->protocol) ||
         (packet->family == 6 &&
          (packet->protocol == IPPROTO_DSTOPTS || packet->protocol == IPPROTO_AH));
}

/* What makes the packet ours, as the counter of it, or UVS_STEER_COUNTERS: not ours. */
static __always_inline __u32 why_ours(struct __sk_buff* skb, struct packet* packet,
                                      const struct uvs_control* control) {
  if (packet->is_later_fragment) {
    return may_be_transport(packet) && has_fragment_role(packet) ? UVS_STEER_FRAGMENT
                                                                 : UVS_STEER_COUNTERS;
  }
  if (is_transport(packet->protocol)) {
    if (!read_ports(skb, packet)) return UVS_STEER_COUNTERS;
    if (is_any_service(packet->destination, packet->destination_port, packet, control))
      return UVS_STEER_SERVICE;
    if (is_expected(control, packet)) return UVS_STEER_REPLY;
    /* What is given back to the host passes a closed address. */
    return packet->is_fragment && has_fragment_role(packet) &&
                   !has_role(packet->destination, UVS_ADDRESS_CLOSED, packet)
               ? UVS_STEER_FRAGMENT
               : UVS_STEER_COUNTERS;
  }
  if (packet->protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) &&
      !packet->is_fragment) {
    return is_error_about_ours(skb, packet, control) ? UVS_STEER_ICMP : UVS_STEER_COUNTERS;
  }
  return UVS_STEER_COUNTERS;
}

/* The counter of what is to be done about the packet; UVS_STEER_COUNTERS: it is the host's. */
static __always_inline __u32 classify(struct __sk_buff* skb, __u32 l3_offset,
                                      const struct uvs_control* control) {
  struct packet packet = {0};
  const __u8 family = skb->protocol == bpf_htons(ETH_P_IP) ? 4 : 6;
  if (!read_packet(skb, family, l3_offset, &packet)) return UVS_STEER_COUNTERS;
  const __u32 why = why_ours(skb, &packet, control);
  if (why < UVS_STEER_COUNTERS) return why;
  return has_role(packet.destination, UVS_ADDRESS_CLOSED, &packet) &&
                 !is_neighbour_discovery(skb, &packet)
             ? UVS_STEER_CLOSED
             : UVS_STEER_COUNTERS;
}

/* The kernel has moved the outermost tag out of the frame; one in `protocol` is another one behind it. */
static __always_inline bool has_inner_tag(const struct __sk_buff* skb) {
  return skb->protocol == bpf_htons(ETH_P_8021Q) || skb->protocol == bpf_htons(ETH_P_8021AD);
}

/* A VLAN id; 0 marks a priority only (802.1p), and the kernel takes such a frame as untagged. */
static __always_inline bool has_vlan(const struct __sk_buff* skb) {
  return (skb->vlan_present && (skb->vlan_tci & VLAN_ID_MASK)) || has_inner_tag(skb);
}

/* A tag with a priority only before another one: the kernel takes it off and asks the next. */
static __always_inline bool has_priority_before_tag(const struct __sk_buff* skb) {
  return skb->vlan_present && !(skb->vlan_tci & VLAN_ID_MASK) && has_inner_tag(skb);
}

/* Is the packet, which this machine sends itself, a later fragment of a reply of ours? `is_first`: it
 * is such a reply's first one. The stack sends the fragments of a packet one after another, the first
 * one first, with the fragment header right behind the IPv6 header. */
static __always_inline bool is_out_fragment(struct __sk_buff* skb, __u32 l3_offset,
                                            const struct packet* packet, bool is_first) {
  const bool is_ipv4 = packet->family == 4;
  const __u64 present = 1;
  __u16 id4 = 0;
  __u32 id6 = 0;
  if (is_ipv4 ? bpf_skb_load_bytes(skb, l3_offset + offsetof(struct iphdr, id), &id4, sizeof(id4))
              : bpf_skb_load_bytes(skb, l3_offset + sizeof(struct ipv6hdr) + 4, &id6, sizeof(id6)))
    return false;
  const struct out_fragment_key key = {
      .source = {packet->source[0], packet->source[1]},
      .destination = {packet->destination[0], packet->destination[1]},
      .what = packet->family << 32 | (is_ipv4 ? id4 : id6),
  };
  if (is_first) return bpf_map_update_elem(&uvs_out_frags, &key, &present, BPF_ANY) == 0;
  return bpf_map_lookup_elem(&uvs_out_frags, &key) != 0;
}

/* What makes a packet that this machine sends ours: a reply of a server of its own that was reached by
 * NAT, or an ICMP error about a packet that was sent on to it. */
static __always_inline __u32 why_ours_outside(struct __sk_buff* skb, __u32 l3_offset,
                                              struct packet* packet,
                                              const struct uvs_control* control) {
  if (packet->is_later_fragment)
    return is_out_fragment(skb, l3_offset, packet, false) ? UVS_STEER_FRAGMENT : UVS_STEER_COUNTERS;
  if (is_transport(packet->protocol)) {
    if (!read_ports(skb, packet) || !is_expected(control, packet)) return UVS_STEER_COUNTERS;
    if (packet->is_fragment) is_out_fragment(skb, l3_offset, packet, true);
    return UVS_STEER_REPLY;
  }
  if (packet->protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) &&
      !packet->is_fragment && is_error_about_ours(skb, packet, control))
    return UVS_STEER_ICMP;
  return UVS_STEER_COUNTERS;
}

/* Puts the tag in the place of the destination MAC. A frame that begins at the IP header gets an
 * Ethernet header: the worker knows no other frames. */
static __always_inline bool write_tag(struct __sk_buff* skb, __u32 l3_offset) {
  const __u32 ifindex = skb->ifindex;
  /* As words, whole: see packet.h. */
  const __u64 header[2] = {
      (__u64)UVS_TAG_MAC_0 | (__u64)UVS_TAG_MAC_1 << 8 | (__u64)bpf_htonl(ifindex) << 16,
      (__u64)(__u16)skb->protocol << 32,
  };
  if (l3_offset != 0) return bpf_skb_store_bytes(skb, 0, header, ETH_ALEN, 0) == 0;
  return bpf_skb_change_head(skb, ETH_HLEN, 0) == 0 &&
         bpf_skb_store_bytes(skb, 0, header, ETH_HLEN, 0) == 0;
}

/* To the worker with it, or what becomes of it while that is late or gone. */
static __always_inline int steer_to_worker(struct __sk_buff* skb, __u32 l3_offset,
                                           const struct uvs_control* control, __u32 why) {
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
  if (skb->vlan_present && bpf_skb_vlan_pop(skb)) return NEXT_PROGRAM;
  if (!write_tag(skb, l3_offset)) return NEXT_PROGRAM;
  count(why);
  return (int)bpf_redirect(control->slow_path_ifindex, 0);
}

static __always_inline int steer(struct __sk_buff* skb, const __u32 l3_offset) {
  if (skb->mark == UVS_REINJECT_MARK) {
    skb->mark = 0;
    count(UVS_STEER_REINJECTED);
    return NEXT_PROGRAM;
  }
  if (skb->pkt_type != PACKET_HOST) return NEXT_PROGRAM;
  if (has_priority_before_tag(skb) && bpf_skb_vlan_pop(skb)) return NEXT_PROGRAM;
  if (has_vlan(skb)) {
    count(UVS_STEER_TAGGED);
    return NEXT_PROGRAM;
  }
  if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
    return NEXT_PROGRAM;

  const __u32 zero = 0;
  const struct uvs_control* control = bpf_map_lookup_elem(&uvs_control, &zero);
  if (!control) return NEXT_PROGRAM;
  const __u32 why = classify(skb, l3_offset, control);
  return why < UVS_STEER_COUNTERS ? steer_to_worker(skb, l3_offset, control, why) : NEXT_PROGRAM;
}

/* Sent by the worker, which has decided already, or by another program past the stack. */
static __always_inline bool is_from_packet_socket(const struct __sk_buff* skb) {
  const struct bpf_sock* socket = skb->sk;
  return socket && socket->family == ADDRESS_FAMILY_PACKET;
}

static __always_inline int steer_out(struct __sk_buff* skb, const __u32 l3_offset) {
  if (is_from_packet_socket(skb) || has_vlan(skb)) return NEXT_PROGRAM;
  if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
    return NEXT_PROGRAM;
  const __u32 zero = 0;
  const struct uvs_control* control = bpf_map_lookup_elem(&uvs_control, &zero);
  if (!control) return NEXT_PROGRAM;
  struct packet packet = {0};
  const __u8 family = skb->protocol == bpf_htons(ETH_P_IP) ? 4 : 6;
  if (!read_packet(skb, family, l3_offset, &packet)) return NEXT_PROGRAM;
  const __u32 why = why_ours_outside(skb, l3_offset, &packet, control);
  return why < UVS_STEER_COUNTERS ? steer_to_worker(skb, l3_offset, control, why) : NEXT_PROGRAM;
}

/* Ingress of an attached device. */
SEC("tc")
int uvs_steer(struct __sk_buff* skb) {
  return steer(skb, ETH_HLEN);
}

/* The same where frames begin at the IP header: tun, WireGuard, PPP, IP in IP, GRE. */
SEC("tc")
int uvs_steer_ip(struct __sk_buff* skb) {
  return steer(skb, 0);
}

/* Egress of an attached device, once a server on this machine itself is reached by NAT: its replies
 * leave by the stack, and pass no ingress. */
SEC("tc")
int uvs_steer_out(struct __sk_buff* skb) {
  return steer_out(skb, ETH_HLEN);
}

SEC("tc")
int uvs_steer_out_ip(struct __sk_buff* skb) {
  return steer_out(skb, 0);
}

/* The same where the filter outlives the process (clsact): steers as long as somebody holds the map's
 * descriptor. Told from the others by a name of 15 characters at most: the kernel keeps no more. */
SEC("tc")
int uvs_live_steer(struct __sk_buff* skb) {
  bpf_tail_call(skb, &uvs_alive, UVS_ALIVE_STEER);
  return NEXT_PROGRAM;
}

SEC("tc")
int uvs_live_steer_ip(struct __sk_buff* skb) {
  bpf_tail_call(skb, &uvs_alive, UVS_ALIVE_STEER_IP);
  return NEXT_PROGRAM;
}

SEC("tc")
int uvs_live_out(struct __sk_buff* skb) {
  bpf_tail_call(skb, &uvs_alive, UVS_ALIVE_STEER_OUT);
  return NEXT_PROGRAM;
}

SEC("tc")
int uvs_live_out_ip(struct __sk_buff* skb) {
  bpf_tail_call(skb, &uvs_alive, UVS_ALIVE_STEER_OUT_IP);
  return NEXT_PROGRAM;
}

/* Ingress of uvs0: what the worker gives back to the host, restored and marked, or sends by a device
 * whose frames begin at the IP header; bpf_redirect takes the Ethernet header off for such a device,
 * in both directions. (An AF_PACKET socket can't send there: with PACKET_VNET_HDR it must be SOCK_RAW,
 * and then the kernel takes PPP's header, which it adds itself, for the beginning of the data and
 * segments no GSO frame.) Nothing else may come out of the pair. */
SEC("tc")
int uvs_reinject(struct __sk_buff* skb) {
  __u8 tag[ETH_ALEN];
  if (bpf_skb_load_bytes(skb, 0, tag, sizeof(tag)) || tag[0] != UVS_TAG_MAC_0 ||
      (tag[1] != UVS_TAG_MAC_1 && tag[1] != UVS_TAG_MAC_1_OUT))
    goto refuse;
  const __u32 ifindex = (__u32)tag[2] << 24 | (__u32)tag[3] << 16 | (__u32)tag[4] << 8 | tag[5];
  if (tag[1] == UVS_TAG_MAC_1_OUT) return (int)bpf_redirect(ifindex, 0);
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
