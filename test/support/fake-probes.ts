// Probes that a test answers by hand, or that answer at once by a table of servers that are dead.

import type { TcpCheckPolicy } from '../../src/config/checkers/tcp-check.js';
import type { ProbeResult } from '../../src/health/checker.js';
import type { StartProbe } from '../../src/runtime/probes/probe.js';

export type PendingProbe = {
  readonly policy: TcpCheckPolicy;
  answer(result: ProbeResult): void;
  isCancelled: boolean;
};

export class FakeProbes {
  /** `10.0.0.21:80`: these refuse. */
  readonly dead = new Set<string>();
  /** While true, probes wait for `answer`. */
  isManual = false;
  readonly pending: PendingProbe[] = [];
  startedCount = 0;

  readonly probes: { readonly tcp: StartProbe<TcpCheckPolicy> } = {
    tcp: (policy, onResult) => {
      this.startedCount += 1;
      const probe: PendingProbe = {
        policy,
        isCancelled: false,
        answer: (result) => {
          this.pending.splice(this.pending.indexOf(probe), 1);
          onResult(result);
        },
      };
      this.pending.push(probe);
      if (!this.isManual) {
        setImmediate(() => {
          if (!probe.isCancelled) probe.answer(this.resultOf(policy));
        });
      }
      return {
        cancel: () => {
          probe.isCancelled = true;
          this.pending.splice(this.pending.indexOf(probe), 1);
        },
      };
    },
  };

  private resultOf({ question }: TcpCheckPolicy): ProbeResult {
    const isDead = this.dead.has(`${question.connectAddress}:${question.connectPort}`);
    return isDead ? { kind: 'failed', reason: 'connection refused' } : { kind: 'passed' };
  }
}
