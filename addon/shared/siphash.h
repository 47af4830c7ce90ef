// SipHash-1-3 over two or more 64-bit words: the one keyed hash of the connection table and of the steering map.
// Plain C, so that the BPF program computes the same value from the same key.
#ifndef UVS_SHARED_SIPHASH_H
#define UVS_SHARED_SIPHASH_H

#include "shared/integers.h"

struct uvs_hash_key {
  UVS_U64 k0;
  UVS_U64 k1;
};

#define UVS_ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define UVS_SIP_ROUND(a, b, c, d)                             \
  do {                                                        \
    a += b; b = UVS_ROTL(b, 13); b ^= a; a = UVS_ROTL(a, 32); \
    c += d; d = UVS_ROTL(d, 16); d ^= c;                      \
    a += d; d = UVS_ROTL(d, 21); d ^= a;                      \
    c += b; b = UVS_ROTL(b, 17); b ^= c; c = UVS_ROTL(c, 32); \
  } while (0)

/* `count` words, little-endian; reference: Aumasson and Bernstein, "SipHash", 2012, with c = 1 and d = 3. */
static inline __attribute__((always_inline)) UVS_U64 uvs_siphash(const UVS_U64* words, unsigned count,
                                                                 const struct uvs_hash_key* key) {
  UVS_U64 a = key->k0 ^ 0x736f6d6570736575ULL;
  UVS_U64 b = key->k1 ^ 0x646f72616e646f6dULL;
  UVS_U64 c = key->k0 ^ 0x6c7967656e657261ULL;
  UVS_U64 d = key->k1 ^ 0x7465646279746573ULL;
  const UVS_U64 tail = (UVS_U64)(count * 8) << 56;
#ifdef __bpf__
#pragma unroll /* the verifier lets only holders of CAP_PERFMON walk the stack by a variable */
#endif
  for (unsigned i = 0; i < count; i++) {
    d ^= words[i];
    UVS_SIP_ROUND(a, b, c, d);
    a ^= words[i];
  }
  d ^= tail;
  UVS_SIP_ROUND(a, b, c, d);
  a ^= tail;
  c ^= 0xff;
  UVS_SIP_ROUND(a, b, c, d);
  UVS_SIP_ROUND(a, b, c, d);
  UVS_SIP_ROUND(a, b, c, d);
  return a ^ b ^ c ^ d;
}

#endif /* UVS_SHARED_SIPHASH_H */
