// What runs on its own (timers, events, jobs that nobody waits for) and fails would end the process, for nobody catches it.
// Here it is told and counted; a timer rings again a moment later, so that what it keeps alive goes on.

import { addMicros, type Micros, seconds } from '../model/units.js';
import type { Clock } from './clock.js';
import type { Log } from './log.js';
import { messageOf } from './message-of.js';

/** A timer whose callback has failed rings again after it. */
const retryPause = seconds(1);
/** The same failure is said once in it. */
const reportPause = seconds(60);

export class Catcher {
  /** Callbacks may throw, and give a promise that rejects: they are called again, until they are cancelled. */
  readonly clock: Clock;
  private count = 0;
  private reported: { readonly text: string; readonly at: Micros } | undefined;
  private isClosed = false;

  constructor(
    private readonly source: Clock,
    private readonly log: Pick<Log, 'error'>,
  ) {
    this.clock = {
      now: () => source.now(),
      wall: () => source.wall(),
      at: (deadline, callback) => this.insist((call) => source.at(deadline, call), callback),
      soon: (callback) => this.insist((call) => source.soon(call), callback),
    };
  }

  /** Steps that have failed. */
  get failedSteps(): number {
    return this.count;
  }

  /** Does it now. `onFailed` hears, when the failure is told, that it has to be made up for. */
  run(step: () => void | Promise<void>, onFailed: () => void = () => {}): void {
    const fail = (error: unknown) => {
      this.report(error);
      onFailed();
    };
    try {
      step()?.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  /** Nothing is tried again from now on. */
  close(): void {
    this.isClosed = true;
  }

  private insist(arm: (call: () => void) => () => void, callback: () => void | Promise<void>): () => void {
    let isCancelled = false;
    const call = () =>
      this.run(callback, () => {
        if (isCancelled || this.isClosed) return;
        cancel = this.source.at(addMicros(this.source.now(), retryPause), () => {
          if (!this.isClosed) call();
        });
      });
    let cancel = arm(call);
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  private report(error: unknown): void {
    this.count += 1;
    const text = messageOf(error);
    const now = this.source.now();
    if (this.reported?.text === text && now < addMicros(this.reported.at, reportPause)) return;
    this.reported = { text, at: now };
    this.log.error(`a step has failed and is made up for: ${text}`, { failedSteps: this.count });
  }
}
