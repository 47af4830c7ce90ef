// Of the in-memory network: when two addresses or routes are one to the kernel, and MAC addresses that no other twin has.

import type { VirtualRoute } from '../model/virtual-router.js';
import type { HostAddress } from './host-address.js';

export function isSameAddress(a: HostAddress, b: HostAddress): boolean {
  return a.address === b.address && a.device === b.device && a.prefixLength === b.prefixLength;
}

export function isSameRoute(a: VirtualRoute, b: VirtualRoute): boolean {
  return (
    a.destination.address === b.destination.address &&
    a.destination.length === b.destination.length &&
    a.device === b.device &&
    a.gateway === b.gateway &&
    a.kind === b.kind &&
    a.metric === b.metric &&
    a.table === b.table
  );
}

let macCount = 0;

/** Different on every twin of a test. */
export function nextMac(): string {
  macCount = (macCount + 1) & 0xffff;
  const hex = (value: number) => value.toString(16).padStart(2, '0');
  return `02:00:00:00:${hex(macCount >> 8)}:${hex(macCount & 255)}`;
}
