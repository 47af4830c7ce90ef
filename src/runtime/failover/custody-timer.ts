// When what is ours on this machine is looked after: soon after anything has changed, whoever changed it, and each second,
// since the kernel does not tell of everything that it takes along. What that means is Holdings' and the network's.

import type { Belonging } from '../../dataplane/custody.js';
import { addMicros, type Micros, seconds } from '../../model/units.js';
import type { Cancel, Clock } from '../clock.js';
import type { Findings, Holdings } from './holdings.js';

const interval = seconds(1);
/** However much changes, looks are no closer than this. */
const pause = seconds(0.05);

export type CustodyTimerParts = {
  readonly clock: Clock;
  readonly holdings: Holdings;
  /** The devices that we have made. */
  readonly devices: () => readonly Belonging[];
  readonly onFound: (findings: Findings) => void;
};

export class CustodyTimer {
  private alarm: { readonly at: Micros; readonly cancel: Cancel } | undefined;
  private lookedAt: Micros | undefined;
  private isLooking = false;
  private isWanted = false;
  private isClosed = false;

  constructor(private readonly parts: CustodyTimerParts) {}

  lookSoon(): void {
    this.isWanted = true;
    const now = this.parts.clock.now();
    this.arm(this.lookedAt === undefined ? now : addMicros(this.lookedAt, pause));
  }

  close(): void {
    this.isClosed = true;
    this.alarm?.cancel();
    this.alarm = undefined;
  }

  private arm(at: Micros): void {
    if (this.isClosed || this.isLooking || (this.alarm !== undefined && this.alarm.at <= at)) return;
    this.alarm?.cancel();
    const ring = () => {
      this.alarm = undefined;
      return this.look();
    };
    this.alarm = { at, cancel: this.parts.clock.at(at, ring) };
  }

  private async look(): Promise<void> {
    const { clock, holdings, devices, onFound } = this.parts;
    if (this.isLooking || this.isClosed) return;
    this.isLooking = true;
    this.isWanted = false;
    const findings = await holdings.look(devices()).finally(() => {
      this.isLooking = false;
    });
    this.lookedAt = clock.now();
    if (this.isClosed) return;
    if (findings !== undefined) onFound(findings);
    if (findings === undefined || this.isWanted) this.arm(addMicros(this.lookedAt, pause));
    else if (holdings.isInUse || devices().length > 0) this.arm(addMicros(this.lookedAt, interval));
  }
}
