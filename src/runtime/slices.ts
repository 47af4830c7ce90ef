// Long work in short slices: `await yieldTurn()` between two pieces lets the event loop run when the slice is used up.
// A reload of thousands of servers must not delay an advert or a probe.

import type { Micros } from '../model/units.js';
import { type Clock, nextTurn } from './clock.js';

export const sliceBudget = 2_000 as Micros;

/** Yields at once on the first call after `budget`; free otherwise. */
export type YieldTurn = () => Promise<void> | undefined;

export function createSlices(clock: Clock, budget: Micros = sliceBudget): YieldTurn {
  let since = clock.now();
  return () => {
    if (clock.now() - since < budget) return undefined;
    return nextTurn(clock).then(() => {
      since = clock.now();
    });
  };
}

/** What the steps lead to; the event loop runs between two of them when the slice is used up. */
export async function inSlices<T>(steps: Generator<void, T>, yieldTurn: YieldTurn): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await yieldTurn();
  }
}
