// Drives what virtual routers track beside devices: scripts on their intervals and files as they change. It holds the
// results; what they make of a priority is decided in src/vrrp/tracking.ts.

import type { ScriptPolicy, TrackFile } from '../../model/failover-config.js';
import type { Micros } from '../../model/units.js';
import type { TrackScript } from '../../model/virtual-router.js';

export type ScriptStatus = {
  readonly name: string;
  /** undefined: no result yet. */
  readonly isUp: boolean | undefined;
  /** `exit status 1`, `timeout`, `signal SIGSEGV`; undefined before the first result. */
  readonly lastResult: string | undefined;
  readonly exitStatus: number | undefined;
  /** Wall-clock time of the last result. */
  readonly at: Micros | undefined;
  readonly isRunning: boolean;
  /** Why it can not be run, with the remedy. */
  readonly defect: string | undefined;
};

export type FileStatus = {
  readonly name: string;
  readonly path: string;
  readonly value: number;
  /** Why `value` is 0 although nobody wrote it: no such file, no number in it. */
  readonly problem: string | undefined;
};

/** What `class Trackers` in this file offers the runner. */
export interface Tracking {
  /** In force from now on; a script whose configuration is the same keeps its state and its rhythm. */
  configure(scripts: readonly TrackScript[], files: readonly TrackFile[], policy: ScriptPolicy): void;
  /** For `Observations` of src/vrrp/tracking.ts. */
  readonly scripts: ReadonlyMap<string, boolean | undefined>;
  readonly files: ReadonlyMap<string, number>;
  /** Script name → what is wrong, as it follows the name: `has nobody to run as`. */
  readonly scriptDefects: ReadonlyMap<string, string>;
  readonly status: { readonly scripts: readonly ScriptStatus[]; readonly files: readonly FileStatus[] };
  /** Ends scripts that run and stops watching. */
  stop(): void;
}
