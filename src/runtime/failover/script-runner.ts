// Runs the operator's programs: as an account, in a session of their own, with nothing to read and nowhere to write.
// Never as root unless somebody said so. How a program ended is a value; nothing here throws.

import type { ScriptCommand, ScriptPolicy } from '../../model/failover-config.js';

/** How a run ended. `not-run`: it never began; `why` in words, with the remedy. */
export type ScriptEnd =
  | { readonly kind: 'exited'; readonly status: number }
  /** `signal` as `SIGTERM`. */
  | { readonly kind: 'signalled'; readonly signal: string }
  | { readonly kind: 'not-run'; readonly why: string };

export type Run = {
  /** SIGTERM to the program and all that it started, SIGKILL a little later. Ok when it has ended. */
  end(): void;
};

export interface ScriptRunner {
  /** Why this command may not or can not be run, in words with the remedy; undefined when it can. */
  defect(command: ScriptCommand, policy: ScriptPolicy): string | undefined;
  /** Starts it; `onEnd` is called once, never before this returns. */
  run(command: ScriptCommand, policy: ScriptPolicy, onEnd: (end: ScriptEnd) => void): Run;
}
