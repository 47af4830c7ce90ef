// Which of the things that a virtual router tells are written: one of a code and router every now and then, for a
// stranger can cause some of them with each packet. All are counted elsewhere.

import { type Micros, seconds } from '../../model/units.js';

export const reportPause = seconds(30);
/** Of what begins and ends: each split is news. */
const episodePause = seconds(3);
const episodes: readonly string[] = ['second-master', 'second-master-gone'];

export type Admission = {
  readonly isWritten: boolean;
  /** How many of the kind were kept back since the last that was written. */
  readonly keptBack: number;
};

type Seen = { readonly writtenAt: Micros; keptBack: number };

export class ReportGate {
  private readonly seen = new Map<string, Seen>();

  admit(router: string, code: string, now: Micros): Admission {
    const key = `${code} ${router}`;
    const before = this.seen.get(key);
    if (
      before !== undefined &&
      now - before.writtenAt < (episodes.includes(code) ? episodePause : reportPause)
    ) {
      before.keptBack += 1;
      return { isWritten: false, keptBack: before.keptBack };
    }
    this.seen.set(key, { writtenAt: now, keptBack: 0 });
    return { isWritten: true, keptBack: before?.keptBack ?? 0 };
  }

  /** The router is gone, and so is what was remembered of it. */
  forget(router: string): void {
    for (const key of this.seen.keys()) if (key.endsWith(` ${router}`)) this.seen.delete(key);
  }
}
