// Whether the kernel answers neighbours on a device as a router: unsolicited advertisements must say the same, or hosts
// that use this machine as their router drop it.

import { readFileSync } from 'node:fs';

/** False for a device that is not there. */
export function isIpv6Router(device: string): boolean {
  try {
    return readFileSync(`/proc/sys/net/ipv6/conf/${device}/forwarding`, 'utf8').trim() !== '0';
  } catch {
    return false;
  }
}
