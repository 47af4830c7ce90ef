// A clock that stands until a test turns it. Alarms ring in order while it is turned; `soon` is the real next turn of
// the event loop, so that promises and I/O go on as they do in production.

import { addMicros, type Micros, seconds } from '../../src/model/units.js';
import type { Cancel, Clock } from '../../src/runtime/clock.js';

type Alarm = { readonly deadline: Micros; readonly callback: () => void };

/** Turns of the event loop that any chain of work needs to come to rest after one alarm. */
const turnsToSettle = 12;

export class ManualClock implements Clock {
  private time = seconds(1_000);
  private readonly alarms = new Set<Alarm>();

  now(): Micros {
    return this.time;
  }

  wall(): Micros {
    return addMicros(this.time, seconds(1_700_000_000));
  }

  at(deadline: Micros, callback: () => void): Cancel {
    const alarm = { deadline, callback };
    this.alarms.add(alarm);
    return () => this.alarms.delete(alarm);
  }

  soon(callback: () => void): Cancel {
    const immediate = setImmediate(callback);
    return () => clearImmediate(immediate);
  }

  /** Time that work of the event loop takes: nothing rings meanwhile. */
  spend(duration: Micros): void {
    this.time = addMicros(this.time, duration);
  }

  /** Alarms that are set. */
  get alarmCount(): number {
    return this.alarms.size;
  }

  /** Lets time pass: every alarm that falls due rings at its time, and what it starts comes to rest. */
  async advance(duration: Micros): Promise<void> {
    const end = addMicros(this.time, duration);
    for (;;) {
      await this.settle();
      const next = [...this.alarms].sort((a, b) => a.deadline - b.deadline)[0];
      if (next === undefined || next.deadline > end) break;
      this.alarms.delete(next);
      if (next.deadline > this.time) this.time = next.deadline;
      next.callback();
    }
    this.time = end;
    await this.settle();
  }

  /** No time passes; what is under way comes to rest. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < turnsToSettle; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}
