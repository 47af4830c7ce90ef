// Who wins between two masters: the higher priority, then the higher address.

import { type IpAddress, ipBytes } from '../model/address.js';

export type Candidate = { readonly priority: number; readonly source: IpAddress };

/** RFC 9568 6.4.3 (725, 735). */
export function outranks(a: Candidate, b: Candidate): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  return compareAddresses(a.source, b.source) > 0;
}

/** Unsigned, in network byte order. */
export function compareAddresses(a: IpAddress, b: IpAddress): number {
  const left = ipBytes(a);
  const right = ipBytes(b);
  const i = left.findIndex((byte, at) => byte !== right[at]);
  return i === -1 ? 0 : (left[i] ?? 0) - (right[i] ?? 0);
}
