// The probes of this process, one a kind of checker.

import type { NativeProbes, Probes } from './probe.js';
import { createTcpProbe } from './tcp.js';

/** `native` where the addon offers what Node's sockets can't do. */
export function createProbes(native?: NativeProbes): Probes {
  return { tcp: createTcpProbe(native) };
}
