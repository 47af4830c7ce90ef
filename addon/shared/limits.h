/* What both parsers of packets, the steering program's and the core's, have to hold alike. */
#ifndef UVS_SHARED_LIMITS_H
#define UVS_SHARED_LIMITS_H

/* IPv6 extension headers that are walked before TCP, UDP or ICMP; a packet with more is the host's business.
 * RFC 8200 4.1 recommends at most one of each, destination options twice: six. */
#define UVS_EXTENSION_LIMIT 8

#endif /* UVS_SHARED_LIMITS_H */
