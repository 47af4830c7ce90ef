// strict_mode: what the RFC has no room for is taken from the virtual router, with a word for each, as keepalived does.

import { micros } from '../../model/units.js';
import { asStrict, strictDefects, type VirtualRouter } from '../../model/virtual-router.js';
import type { Report } from '../report.js';
import type { Place } from '../source.js';

/** `place` is where strict_mode is said. `accepts`: the instance says `accept` or `no_accept` itself. */
export function readStrictly(
  written: VirtualRouter,
  accepts: boolean | undefined,
  place: Place,
  report: Report,
): VirtualRouter {
  if (!written.isStrict) return written;
  const isOwner = written.priority === 255;
  const strict: VirtualRouter = {
    ...asStrict(written),
    startState: isOwner ? written.startState : 'backup',
    authentication: { kind: 'none' },
    preemptDelay: micros(0),
    acceptsTraffic: isOwner || (written.version === 3 && accepts === true),
  };
  const kept = new Set(strictDefects(strict));
  for (const defect of strictDefects(written)) {
    if (written.addresses.length === 0 && defect === 'no virtual address') {
      report.add(
        'missing-setting',
        place,
        `strict_mode needs a virtual address, and ${written.name} has none`,
      );
      continue;
    }
    const ending = kept.has(defect) ? 'it stays, and the RFC does not know it' : 'it is not taken';
    const message = `strict_mode of ${written.name}: ${defect}: ${ending}`;
    report.add('strict-mode', place, message, 'remove it, or remove strict_mode');
  }
  if (accepts && !strict.acceptsTraffic) {
    const message = `strict_mode of ${written.name}: accept in version 2: it is not taken`;
    report.add('strict-mode', place, message, 'remove it, or write version 3');
  }
  return strict;
}
