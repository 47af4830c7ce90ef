// Time as the control plane sees it: a monotonic clock and one-shot alarms, injected so that tests turn it by hand
// (test/support/manual-clock.ts). Wall-clock time is for people and appears only in answers and logs.

import { type Micros, micros } from '../model/units.js';

export type Cancel = () => void;

export interface Clock {
  /** Monotonic; its zero is arbitrary. */
  now(): Micros;
  /** Microseconds since 1970. */
  wall(): Micros;
  /**
   * Calls back once, at or after `deadline`, and after the I/O that had arrived by then: an answer that waits in the
   * kernel while the event loop was busy is read before its deadline is judged. What a callback throws, or its promise
   * rejects with, is for a Catcher to catch (catcher.ts).
   */
  at(deadline: Micros, callback: () => void | Promise<void>): Cancel;
  /** Calls back in the next turn of the event loop, after pending I/O. */
  soon(callback: () => void | Promise<void>): Cancel;
}

/** Node's timers count milliseconds and overflow at 2^31. */
const longestTimeout_ms = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Number(process.hrtime.bigint() / 1_000n) as Micros,
  wall: () => micros(Date.now() * 1_000),
  at: alarm,
  soon: (callback) => {
    const immediate = setImmediate(callback);
    return () => clearImmediate(immediate);
  },
};

function alarm(deadline: Micros, callback: () => void): Cancel {
  let cancel: Cancel = () => {};
  const arm = () => {
    const remaining_ms = Math.ceil((deadline - systemClock.now()) / 1_000);
    const timeout = setTimeout(ring, Math.min(Math.max(remaining_ms, 0), longestTimeout_ms));
    cancel = () => clearTimeout(timeout);
  };
  const ring = () => {
    if (systemClock.now() < deadline) return arm();
    cancel = systemClock.soon(callback);
  };
  arm();
  return () => cancel();
}

/** Resolves in the next turn of the event loop. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.soon(resolve);
  });
}
