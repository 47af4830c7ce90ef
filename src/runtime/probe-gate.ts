// Bounds the probes: so many at once, so many new ones a turn of the event loop. The rest waits in line, and its
// deadlines don't run meanwhile (see 'queued' in health/checker.ts).

import type { Cancel, Clock } from './clock.js';

/** Sockets in flight; a default limit of 1024 file descriptors leaves room for the rest. */
export const maxProbesRunning = 512;
/** A connect costs some 50 µs: a turn stays below 2 ms. */
export const maxProbesStartedPerTurn = 32;

/** A place in line; ends by `leave`, whether its probe ran or not. */
export type Ticket = { isRunning: boolean; isGone: boolean; readonly start: () => void };

export class ProbeGate {
  private line: Ticket[] = [];
  private head = 0;
  private runningCount = 0;
  private cancelTurn: Cancel | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly limit = maxProbesRunning,
    private readonly perTurn = maxProbesStartedPerTurn,
  ) {}

  /** Calls `start` when it is this one's turn, never before this returns. */
  enter(start: () => void): Ticket {
    const ticket = { isRunning: false, isGone: false, start };
    this.line.push(ticket);
    this.schedule();
    return ticket;
  }

  leave(ticket: Ticket): void {
    if (ticket.isGone) return;
    ticket.isGone = true;
    if (!ticket.isRunning) return;
    this.runningCount -= 1;
    this.schedule();
  }

  close(): void {
    this.cancelTurn?.();
    this.line = [];
    this.head = 0;
  }

  private schedule(): void {
    if (this.cancelTurn !== undefined || this.head === this.line.length || this.runningCount >= this.limit)
      return;
    this.cancelTurn = this.clock.soon(() => {
      this.cancelTurn = undefined;
      this.turn();
      this.schedule();
    });
  }

  private turn(): void {
    for (let started = 0; started < this.perTurn && this.runningCount < this.limit; ) {
      const ticket = this.line[this.head];
      if (ticket === undefined) break;
      this.head += 1;
      if (ticket.isGone) continue;
      ticket.isRunning = true;
      this.runningCount += 1;
      started += 1;
      ticket.start();
    }
    if (this.head === this.line.length || this.head > 1_000) {
      this.line = this.line.slice(this.head);
      this.head = 0;
    }
  }
}
