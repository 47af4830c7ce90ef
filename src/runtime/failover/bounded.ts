// Waits that end: what a director does on its way out may take long, and must not keep it.

import { addMicros, type Micros, secondsText } from '../../model/units.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';

/** Waits for `work`, but no longer than `limit`; says so then. */
export async function bounded(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  work: Promise<unknown>,
  limit: Micros,
  what: string,
): Promise<void> {
  let cancel = () => {};
  const late = new Promise<'late'>((resolve) => {
    cancel = clock.at(addMicros(clock.now(), limit), () => resolve('late'));
  });
  const outcome = await Promise.race([work, late]);
  cancel();
  if (outcome === 'late')
    log.warn(`${what} takes too long; going on without it`, { after: secondsText(limit) });
}
