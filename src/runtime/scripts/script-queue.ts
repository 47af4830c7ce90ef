// Notify scripts in order: those of one virtual router or group run one after another, so that a script of `backup` never
// overtakes one of `master`; those of different ones side by side, up to a bound.

import type { ScriptCommand, ScriptPolicy } from '../../model/failover-config.js';
import { addMicros, type Micros, seconds } from '../../model/units.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { endText, type ScriptRunner } from './script-runner.js';

export type QueueParts = { readonly clock: Clock; readonly log: Log; readonly runner: ScriptRunner };

export type ScriptJob = {
  /** Whose scripts wait for each other. */
  readonly subject: string;
  /** For the log: `notify_master of VI_1`. */
  readonly title: string;
  readonly command: ScriptCommand;
  readonly policy: ScriptPolicy;
};

/** Scripts of all subjects that run at once, without those that others no longer wait for. */
export const maxRunning = 16;
/** A script that takes longer no longer holds up others. It is not ended: it may be at work. */
export const patience = seconds(30);
/** Scripts that wait for one subject; the oldest go first when there are more, as they are the most out of date. */
export const maxWaiting = 64;

type Lane = { readonly waiting: ScriptJob[]; isBusy: boolean };

export class ScriptQueue {
  private readonly lanes = new Map<string, Lane>();
  /** Of scripts that others wait for. */
  private slotCount = 0;
  private aliveCount = 0;
  private readonly idleListeners = new Set<() => void>();

  constructor(private readonly parts: QueueParts) {}

  add(job: ScriptJob): void {
    const lane = this.lanes.get(job.subject) ?? { waiting: [], isBusy: false };
    this.lanes.set(job.subject, lane);
    lane.waiting.push(job);
    if (lane.waiting.length > maxWaiting) {
      const lost = lane.waiting.shift();
      this.parts.log.warn(`${lost?.title} is left out: too many scripts wait for one that does not end`);
    }
    this.advance();
  }

  /** Resolves when nothing runs or waits, or after `bound`; true when all had ended. */
  settle(bound: Micros): Promise<boolean> {
    if (this.isIdle) return Promise.resolve(true);
    const { clock } = this.parts;
    return new Promise((resolve) => {
      const finish = () => {
        cancel();
        this.idleListeners.delete(finish);
        resolve(this.isIdle);
      };
      const cancel = clock.at(addMicros(clock.now(), bound), finish);
      this.idleListeners.add(finish);
    });
  }

  private get isIdle(): boolean {
    return this.aliveCount === 0 && this.lanes.size === 0;
  }

  private advance(): void {
    for (const [subject, lane] of this.lanes) {
      if (lane.isBusy) continue;
      if (lane.waiting.length === 0) this.lanes.delete(subject);
      else if (this.slotCount < maxRunning) this.start(lane);
    }
    if (this.isIdle) for (const listener of [...this.idleListeners]) listener();
  }

  private start(lane: Lane): void {
    const job = lane.waiting.shift();
    if (job === undefined) return;
    const { clock, log, runner } = this.parts;
    lane.isBusy = true;
    this.slotCount += 1;
    this.aliveCount += 1;
    let isHolding = true;
    const letOn = () => {
      if (isHolding) {
        lane.isBusy = false;
        this.slotCount -= 1;
      }
      isHolding = false;
      this.advance();
    };
    const cancel = clock.at(addMicros(clock.now(), patience), () => {
      log.warn(`${job.title} has run for ${patience / 1e6} s; the next script does not wait for it`);
      letOn();
    });
    runner.run(job.command, job.policy, 'outlives', (end) => {
      cancel();
      this.aliveCount -= 1;
      if (end.kind !== 'exited' || end.status !== 0)
        log.warn(`${job.title} failed`, { result: endText(end) });
      letOn();
    });
  }
}
