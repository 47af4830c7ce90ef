// Drives what virtual routers track beside devices: scripts on their intervals and files as they change. It holds the
// results; what they make of a priority is decided in src/vrrp/tracking.ts.

import { isSame } from '../../model/diff.js';
import type { ScriptPolicy, TrackFile } from '../../model/failover-config.js';
import type { TrackScript } from '../../model/virtual-router.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import type { ScriptRunner } from '../scripts/script-runner.js';
import { FollowedFile, initializeFile } from './track-file.js';
import { type ScriptStatus, TrackedScript } from './track-script.js';

export type FileStatus = {
  readonly name: string;
  readonly path: string;
  readonly value: number;
  /** Why `value` is 0 although nobody wrote it: no such file, no number in it. */
  readonly problem: string | undefined;
};

/** What failover wants of whoever tracks. */
export interface Tracking {
  /** In force from now on; a script whose configuration is the same keeps its state and its rhythm. */
  configure(scripts: readonly TrackScript[], files: readonly TrackFile[], policy: ScriptPolicy): void;
  /** Name → the result in force; undefined: none yet. */
  readonly scripts: ReadonlyMap<string, boolean | undefined>;
  /** Name → the number in the file. */
  readonly files: ReadonlyMap<string, number>;
  /** Scripts that can not be run → why, as it follows the name: `has nobody to run as`. */
  readonly scriptDefects: ReadonlyMap<string, string>;
  readonly status: { readonly scripts: readonly ScriptStatus[]; readonly files: readonly FileStatus[] };
  /** Ends scripts that run and stops watching. */
  stop(): void;
}

export type TrackerParts = { readonly clock: Clock; readonly log: Log; readonly runner: ScriptRunner };

export class Trackers implements Tracking {
  private tracked = new Map<string, TrackedScript>();
  private followed = new Map<string, FollowedFile>();
  private isConfiguring = false;
  private isReload = false;

  /** `onChange` is called when a result, a defect or a number has changed, never from `configure`. */
  constructor(
    private readonly parts: TrackerParts,
    private readonly onChange: () => void,
  ) {}

  configure(scripts: readonly TrackScript[], files: readonly TrackFile[], policy: ScriptPolicy): void {
    this.isConfiguring = true;
    try {
      this.configureScripts(scripts, policy);
      this.configureFiles(files);
    } finally {
      this.isConfiguring = false;
      this.isReload = true;
    }
  }

  get scripts(): ReadonlyMap<string, boolean | undefined> {
    return new Map([...this.tracked].map(([name, { isUp }]) => [name, isUp]));
  }

  get files(): ReadonlyMap<string, number> {
    return new Map([...this.followed].map(([name, { value }]) => [name, value]));
  }

  get scriptDefects(): ReadonlyMap<string, string> {
    const defects = new Map<string, string>();
    for (const [name, { defect }] of this.tracked) if (defect !== undefined) defects.set(name, defect.why);
    return defects;
  }

  get status(): { readonly scripts: readonly ScriptStatus[]; readonly files: readonly FileStatus[] } {
    return {
      scripts: [...this.tracked.values()].map((script) => script.status),
      files: [...this.followed.values()].map(({ file: { name, path }, value, problem }) => ({
        name,
        path,
        value,
        problem,
      })),
    };
  }

  stop(): void {
    for (const script of this.tracked.values()) script.stop();
    for (const file of this.followed.values()) file.stop();
    this.tracked.clear();
    this.followed.clear();
  }

  private configureScripts(scripts: readonly TrackScript[], policy: ScriptPolicy): void {
    const old = this.tracked;
    this.tracked = new Map();
    for (const script of scripts) {
      const before = old.get(script.name);
      old.delete(script.name);
      if (before !== undefined && isSame(before.script, script) && isSame(before.policy, policy)) {
        this.tracked.set(script.name, before);
        before.look();
        continue;
      }
      before?.stop();
      const isUp = this.isUpMeanwhile(script, before);
      const next = new TrackedScript(script, policy, isUp, this.parts, () => this.changed());
      this.tracked.set(script.name, next);
    }
    for (const script of old.values()) script.stop();
  }

  /** Until its first result a changed script counts as it did, and a new one as good: a reload must not be a fault. */
  private isUpMeanwhile(script: TrackScript, before: TrackedScript | undefined): boolean | undefined {
    if (before !== undefined) return before.isUp;
    return this.isReload && !script.failsAtStart ? true : undefined;
  }

  private configureFiles(files: readonly TrackFile[]): void {
    const old = this.followed;
    this.followed = new Map();
    for (const file of files) {
      const before = old.get(file.name);
      old.delete(file.name);
      if (before !== undefined && isSame(before.file, file)) {
        this.followed.set(file.name, before);
        continue;
      }
      before?.stop();
      const problem = initializeFile(file);
      if (problem !== undefined) this.parts.log.warn(`init_file of ${file.name}: ${file.path}: ${problem}`);
      this.followed.set(file.name, this.follow(file));
    }
    for (const file of old.values()) file.stop();
  }

  private follow(file: TrackFile): FollowedFile {
    const followed = new FollowedFile(file, this.parts.clock, () => {
      const { value, problem } = followed;
      this.parts.log.info(`file ${file.name} says ${value}`, problem === undefined ? {} : { problem });
      this.changed();
    });
    if (followed.problem !== undefined) {
      const fields = { path: file.path, problem: followed.problem };
      this.parts.log.warn(`file ${file.name} counts as 0`, fields);
    }
    return followed;
  }

  private changed(): void {
    if (!this.isConfiguring) this.onChange();
  }
}

export type { ScriptStatus } from './track-script.js';
