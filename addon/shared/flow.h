/* The flow table that workers write and the steering program reads, and the hash of its keys. C so that both
 * compilers read it. */
#ifndef UVS_SHARED_FLOW_H
#define UVS_SHARED_FLOW_H

#include "shared/siphash.h"

/* Map `flows`: array of buckets, mmap'ed. A slot is free when key is 0.
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

#ifdef __cplusplus
static_assert(sizeof(uvs_flow_slot) == 16 && sizeof(uvs_flow_bucket) == 64);
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

#endif /* UVS_SHARED_FLOW_H */
