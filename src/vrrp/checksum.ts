// The Internet checksum (RFC 1071) over VRRP messages, with the pseudo-headers that VRRPv3 puts before them.

import { familyOf, type IpAddress, ipBytes } from '../model/address.js';

export const vrrpProtocol = 112;

/** Ones' complement checksum of the concatenated `parts`; every part but the last has an even length. */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += ((part[i] ?? 0) << 8) | (part[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return ~sum & 0xffff;
}

/** In parts. RFC 8200 8.1 for IPv6; for IPv4 the 12 bytes of RFC 793, as keepalived reads RFC 5798 5.2.8. */
export function pseudoHeader(
  source: IpAddress,
  destination: IpAddress,
  length: number,
  protocol = vrrpProtocol,
): Uint8Array[] {
  const isIpv6 = familyOf(source) === 6;
  const high = length >>> 8;
  const low = length & 255;
  const tail = isIpv6 ? [0, 0, high, low, 0, 0, 0, protocol] : [0, protocol, high, low];
  return [ipBytes(source), ipBytes(destination), Uint8Array.from(tail)];
}
