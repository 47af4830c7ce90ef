// How long a backup waits: skew time and master-down interval, to the microsecond (RFC 3768 6.1, RFC 9568 6.1).

import { addMicros, type Micros, micros } from '../model/units.js';
import type { VirtualRouter } from '../model/virtual-router.js';

const second_us = 1_000_000;

/** The better the priority, the shorter the wait. v2 counts in seconds whatever the interval; v3 scales with it. */
export function skewTime(router: VirtualRouter, priority: number, masterInterval: Micros): Micros {
  const unit = router.version === 2 ? second_us : masterInterval;
  return micros(((256 - priority) * unit) / 256);
}

/** Silence after which the master counts as dead. */
export function masterDownInterval(router: VirtualRouter, priority: number, masterInterval: Micros): Micros {
  return addMicros(
    micros(router.downTimerAdverts * masterInterval),
    skewTime(router, priority, masterInterval),
  );
}

/** How long the advert repeater speaks for a silent control plane; less than two intervals would end every mastership. */
export function leaseOf(router: VirtualRouter): Micros {
  return micros(Math.max(router.advertLease, 2 * router.advertInterval));
}
