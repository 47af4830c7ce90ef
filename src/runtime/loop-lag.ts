// Measures how late the event loop runs: what a stall costs adverts and probes. Node's own histogram does the work.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { micros } from '../model/units.js';
import type { LagView } from './views.js';

export type LoopLag = {
  read(): LagView;
  /** Forgets what was: a start loads and builds, and is no measure. */
  reset(): void;
  stop(): void;
};

const resolution_ms = 10;

export function startLoopLag(): LoopLag {
  const histogram = monitorEventLoopDelay({ resolution: resolution_ms });
  histogram.enable();
  // The histogram holds the time from one tick to the next, the tick's own period included.
  const lateness = (nanoseconds: number) =>
    micros(Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1_000 - resolution_ms * 1_000) : 0);
  return {
    read: () => ({
      mean: lateness(histogram.mean),
      worst: lateness(histogram.count === 0 ? 0 : histogram.max),
    }),
    reset: () => histogram.reset(),
    stop: () => {
      histogram.disable();
    },
  };
}
