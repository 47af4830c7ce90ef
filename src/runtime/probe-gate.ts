// Bounds the probes: so many at once, so many new ones a turn of the event loop. The rest waits in line, and its
// deadlines don't run meanwhile (see 'queued' in health/checker.ts). Servers that are up go first, and some places are
// theirs alone: a dead server holds its place until its timeout, and a thousand of them would starve the living.

import { readFileSync } from 'node:fs';
import type { Cancel, Clock } from './clock.js';

/** A connect costs some 50 µs: a turn stays below 2 ms. */
export const maxProbesStartedPerTurn = 32;
/** The share of the places that servers that are down may take. */
export const shareOfTheDown = 3 / 4;

/** Half of the descriptors that the process may have, the other half is for the rest; within bounds. */
export function probePlaces(descriptorLimit: number): number {
  return Math.min(Math.max(Math.floor(descriptorLimit / 2), 8), 8_192);
}

/** What the process may open; 1024, the usual one, where nobody says (no /proc). */
export function descriptorLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
    return soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft ?? 1_024);
  } catch {
    return 1_024;
  }
}

/** A place in line; ends by `leave`, whether its probe ran or not. */
export type Ticket = {
  isRunning: boolean;
  isGone: boolean;
  readonly isUp: boolean;
  readonly start: () => void;
};

export class ProbeGate {
  private readonly up = new Line();
  private readonly down = new Line();
  private runningCount = 0;
  private runningDownCount = 0;
  private cancelTurn: Cancel | undefined;
  private readonly limitOfTheDown: number;

  constructor(
    private readonly clock: Clock,
    private readonly limit = probePlaces(descriptorLimit()),
    private readonly perTurn = maxProbesStartedPerTurn,
  ) {
    this.limitOfTheDown = Math.max(1, Math.floor(limit * shareOfTheDown));
  }

  /** Calls `start` when it is this one's turn, never before this returns. `isUp`: the server passes its checks. */
  enter(isUp: boolean, start: () => void): Ticket {
    const ticket = { isRunning: false, isGone: false, isUp, start };
    (isUp ? this.up : this.down).push(ticket);
    this.schedule();
    return ticket;
  }

  leave(ticket: Ticket): void {
    if (ticket.isGone) return;
    ticket.isGone = true;
    if (!ticket.isRunning) return;
    this.runningCount -= 1;
    if (!ticket.isUp) this.runningDownCount -= 1;
    this.schedule();
  }

  close(): void {
    this.cancelTurn?.();
    this.up.clear();
    this.down.clear();
  }

  /** The line whose first may start now. */
  private get open(): Line | undefined {
    if (this.runningCount >= this.limit) return undefined;
    if (!this.up.isEmpty) return this.up;
    return this.down.isEmpty || this.runningDownCount >= this.limitOfTheDown ? undefined : this.down;
  }

  private schedule(): void {
    if (this.cancelTurn !== undefined || this.open === undefined) return;
    this.cancelTurn = this.clock.soon(() => {
      this.cancelTurn = undefined;
      this.turn();
      this.schedule();
    });
  }

  private turn(): void {
    for (let started = 0; started < this.perTurn; ) {
      const ticket = this.open?.shift();
      if (ticket === undefined) return;
      if (ticket.isGone) continue;
      ticket.isRunning = true;
      this.runningCount += 1;
      if (!ticket.isUp) this.runningDownCount += 1;
      started += 1;
      ticket.start();
    }
  }
}

/** First in, first out, in constant time. */
class Line {
  private tickets: Ticket[] = [];
  private head = 0;

  get isEmpty(): boolean {
    return this.head === this.tickets.length;
  }

  push(ticket: Ticket): void {
    this.tickets.push(ticket);
  }

  shift(): Ticket | undefined {
    const ticket = this.tickets[this.head];
    if (ticket === undefined) return undefined;
    this.head += 1;
    if (this.head === this.tickets.length || this.head > 1_000) {
      this.tickets = this.tickets.slice(this.head);
      this.head = 0;
    }
    return ticket;
  }

  clear(): void {
    this.tickets = [];
    this.head = 0;
  }
}
