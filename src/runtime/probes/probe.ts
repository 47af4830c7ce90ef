// The probe port: one attempt to reach a server. A probe reports once and may be cancelled; it has no timeout of its
// own, for the deadline is part of the checker's state. What a server sends changes nothing but the result.

import type { ProbeResult } from '../../health/checker.js';
import type { CheckerPolicy } from '../../model/director-config.js';

export type RunningProbe = {
  /** Gives everything back; no result follows. */
  cancel(): void;
};

/** Starts one probe. `onResult` is called at most once, and never before this returns. */
export type StartProbe<Policy> = (policy: Policy, onResult: (result: ProbeResult) => void) => RunningProbe;

/** One entry a kind of checker. */
export type Probes = {
  readonly [Kind in CheckerPolicy['kind']]: StartProbe<Extract<CheckerPolicy, { kind: Kind }>>;
};

/** What Node's sockets can't do (SO_BINDTODEVICE, SO_MARK) and the addon can. */
export interface NativeProbes {
  /** Connects and closes; resolves with undefined when that worked, else with the reason. */
  probeTcp(options: NativeTcpProbe): Promise<string | undefined>;
}

export type NativeTcpProbe = {
  readonly address: string;
  readonly port: number;
  readonly bindAddress: string | undefined;
  /** 0: any. */
  readonly bindPort: number;
  readonly bindDevice: string | undefined;
  /** SO_MARK; 0: none. */
  readonly fwmark: number;
  /** The addon gives up by itself after this, as it can't be cancelled. */
  readonly timeout_ms: number;
};

export function startProbe(
  probes: Probes,
  policy: CheckerPolicy,
  onResult: (result: ProbeResult) => void,
): RunningProbe {
  switch (policy.kind) {
    case 'tcp':
      return probes.tcp(policy, onResult);
    default:
      return policy.kind satisfies never;
  }
}
