// Bounds what one cause can write: so many lines of one message in a period, the rest is counted and said once when the
// period ends. A machine without descriptors fails a thousand checks a second, and each says the same.

import { addMicros, type Micros, seconds } from '../model/units.js';
import type { Cancel, Clock } from './clock.js';

export const gatePeriod = seconds(10);
export const linesPerPeriod = 100;
/** Messages with names in them are many; beyond this only those that are held back are remembered. */
const maxMessages = 1_000;

type Seen = { readonly until: Micros; count: number };

export class LogGate {
  private seen = new Map<string, Seen>();
  private cancelAlarm: Cancel | undefined;
  private total = 0;

  /** `report`: so many lines of `message` were held back. */
  constructor(
    private readonly clock: Clock,
    private readonly report: (message: string, count: number) => void,
  ) {}

  /** Lines held back since the start. */
  get heldBack(): number {
    return this.total;
  }

  admits(message: string): boolean {
    const now = this.clock.now();
    let seen = this.seen.get(message);
    if (seen !== undefined && seen.until <= now) {
      this.end(message, seen);
      seen = undefined;
    }
    if (seen === undefined) {
      if (this.seen.size >= maxMessages) this.forgetQuiet(now);
      seen = { until: addMicros(now, gatePeriod), count: 0 };
      this.seen.set(message, seen);
    }
    seen.count += 1;
    if (seen.count <= linesPerPeriod) return true;
    this.total += 1;
    this.cancelAlarm ??= this.clock.at(seen.until, () => this.onAlarm());
    return false;
  }

  private onAlarm(): void {
    this.cancelAlarm = undefined;
    const now = this.clock.now();
    let next: Micros | undefined;
    for (const [message, seen] of this.seen) {
      if (seen.until <= now) this.end(message, seen);
      else if (seen.count > linesPerPeriod && (next === undefined || seen.until < next)) next = seen.until;
    }
    if (next !== undefined) this.cancelAlarm = this.clock.at(next, () => this.onAlarm());
  }

  private end(message: string, { count }: Seen): void {
    this.seen.delete(message);
    if (count > linesPerPeriod) this.report(message, count - linesPerPeriod);
  }

  private forgetQuiet(now: Micros): void {
    for (const [message, seen] of this.seen) {
      if (seen.count > linesPerPeriod && seen.until > now) continue;
      this.end(message, seen);
    }
  }
}
