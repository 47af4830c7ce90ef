/* Fixed-width integers under one name for both compilers: the BPF program's has no C library. */
#ifndef UVS_SHARED_INTEGERS_H
#define UVS_SHARED_INTEGERS_H

#ifdef __cplusplus
#include <cstdint>
#define UVS_U8 uint8_t
#define UVS_U16 uint16_t
#define UVS_U32 uint32_t
#define UVS_U64 uint64_t
#else
#include <linux/types.h>
#define UVS_U8 __u8
#define UVS_U16 __u16
#define UVS_U32 __u32
#define UVS_U64 __u64
#endif

#endif /* UVS_SHARED_INTEGERS_H */
