// The probes of this process, one a kind of checker.

import type { CheckerKind, PolicyOf } from '../../config/checkers/index.js';
import type { NativeProbes, StartProbe } from './probe.js';
import { createTcpProbe } from './tcp.js';

/** The compiler misses a checker without a probe here. */
type AllProbes = { readonly [Kind in CheckerKind]: StartProbe<PolicyOf<Kind>> };

/** `native` where the addon offers what Node's sockets can't do. */
export function createProbes(native?: NativeProbes): AllProbes {
  return { tcp: createTcpProbe(native) };
}
