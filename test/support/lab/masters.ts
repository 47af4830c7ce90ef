// Two masters at once, as the wire shows it: from the advert of one to a later advert of another that it should have
// silenced. Works on captured adverts; who had the address is address-watch.ts's business.

import type { CapturedAdvert } from './adverts.js';

/**
 * The longest stretch, in microseconds, in which two sources said adverts in turn: from the first advert of the second
 * one to the last advert of the first one after it. Priority 0 gives up and does not count.
 */
export function mastersAtOnce(adverts: readonly CapturedAdvert[], sinceMicros = 0): number {
  let longest = 0;
  const said = adverts.filter(({ atMicros, priority }) => atMicros >= sinceMicros && priority > 0);
  // A change of speaker begins a stretch; it goes on as long as the one before is heard again before it has been silent
  // for as long as a backup waits.
  for (const [index, advert] of said.entries()) {
    const before = said[index - 1];
    if (before === undefined || before.source === advert.source) continue;
    const patience = 3 * before.intervalMicros + before.intervalMicros;
    let last = before.atMicros;
    for (const later of said.slice(index)) {
      if (later.atMicros - last > patience) break;
      if (later.source === before.source) last = later.atMicros;
    }
    longest = Math.max(longest, last - advert.atMicros);
  }
  return longest;
}
