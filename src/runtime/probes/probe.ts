// The probe port: one attempt to reach a server. A probe reports once and may be cancelled; it has no timeout of its
// own, for the deadline is part of the checker's state. What a server sends changes nothing but the result.

import type { ProbeResult } from '../../health/checker.js';
import type { CheckerPolicy } from '../../model/director-config.js';

export type RunningProbe = {
  /** Gives everything back; no result follows. */
  cancel(): void;
};

/** Starts one probe. `onResult` is called at most once, and never before this returns. */
export type StartProbe<Policy extends CheckerPolicy> = (
  policy: Policy,
  onResult: (result: ProbeResult) => void,
) => RunningProbe;

/** By the kind of checker whose policy each takes. */
export type Probes = { readonly [kind: string]: StartProbe<never> };

/** Connects and closes, many at a time, and with what Node's sockets can't do (SO_BINDTODEVICE, SO_MARK). */
export interface NativeProbes {
  /** `onEnded` hears once of each probe that was not cancelled. */
  open(onEnded: (ends: readonly NativeProbeEnd[]) => void): NativeProber;
}

export interface NativeProber {
  probe(probes: readonly NativeTcpProbe[]): void;
  /** What has ended already may still be reported. */
  cancel(id: number): void;
}

/** Without `error` the connection was made; `code` is that of the call that failed, such as ECONNREFUSED. */
export type NativeProbeEnd = {
  readonly id: number;
  readonly error?: string;
  readonly code?: string;
};

export type NativeTcpProbe = {
  readonly id: number;
  readonly address: string;
  readonly port: number;
  readonly bindAddress: string | undefined;
  /** 0: any. */
  readonly bindPort: number;
  readonly bindDevice: string | undefined;
  /** SO_MARK; 0: none. */
  readonly fwmark: number;
  /** It ends by itself after this. */
  readonly timeout_ms: number;
};

/** Throws TypeError for a kind that has no probe. */
export function startProbe(
  probes: Probes,
  policy: CheckerPolicy,
  onResult: (result: ProbeResult) => void,
): RunningProbe {
  const start = probes[policy.kind];
  if (start === undefined)
    throw new TypeError(`there is no probe for a checker ${JSON.stringify(policy.kind)}`);
  // Its kind says whose policy it is.
  return start(policy as never, onResult);
}
