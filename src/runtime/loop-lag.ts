// Measures how late the event loop runs: what a stall costs adverts and probes. Taken at the alarms that the director sets
// anyway, so that an idle one is not woken for it; the observer alone sets one every two seconds, while there are services.

import { type Micros, micros } from '../model/units.js';
import type { Clock } from './clock.js';
import type { LagView } from './views.js';

export type LoopLag = {
  /** The clock whose alarms are measured. */
  readonly clock: Clock;
  read(): LagView;
  /** Forgets what was: a start loads and builds, and is no measure. */
  reset(): void;
};

export function measureLag(clock: Clock): LoopLag {
  let count = 0;
  let sum = 0;
  let worst = 0;
  const note = (deadline: Micros) => {
    const late = Math.max(0, clock.now() - deadline);
    count += 1;
    sum += late;
    worst = Math.max(worst, late);
  };
  return {
    clock: {
      now: () => clock.now(),
      wall: () => clock.wall(),
      soon: (callback) => clock.soon(callback),
      at: (deadline, callback) => {
        // What is due already is late by its caller's wish.
        const due = Math.max(deadline, clock.now()) as Micros;
        return clock.at(deadline, () => {
          note(due);
          return callback();
        });
      },
    },
    read: () => ({ mean: micros(count === 0 ? 0 : Math.round(sum / count)), worst: micros(worst) }),
    reset: () => {
      count = 0;
      sum = 0;
      worst = 0;
    },
  };
}
