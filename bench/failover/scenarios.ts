// What happens to the master in this bench, and how it is undone afterwards.

import type { Cable } from '../../test/support/lab/index.js';
import type { Runner } from './variants.js';

export type Scenario = {
  readonly name: string;
  /** undefined: this program has nothing like it. */
  readonly strike: (master: Runner, cable: Cable) => (() => Promise<unknown>) | undefined;
  /** How the former master comes back. */
  readonly mending: 'restart' | 'restore' | 'switch-back';
};

export const scenarios: readonly Scenario[] = [
  { name: 'graceful stop', strike: (master) => () => master.stop(), mending: 'restart' },
  { name: 'switchover', strike: (master) => master.switchOver, mending: 'switch-back' },
  { name: 'SIGKILL', strike: (master) => () => master.kill(), mending: 'restart' },
  { name: 'link cut', strike: (_, cable) => () => cable.cut('silent'), mending: 'restore' },
];

/** How often adverts go out, and in which version of the protocol. */
export type Timing = {
  readonly name: string;
  readonly version: 2 | 3;
  readonly interval_s: number;
};

export const timings: readonly Timing[] = [
  { name: 'v2, advert_int 1', version: 2, interval_s: 1 },
  { name: 'v3, advert_int 0.05', version: 3, interval_s: 0.05 },
];
