// static_ipaddress { }: addresses that the director adds at start and removes at stop.

import type { StaticAddress } from '../../model/director-config.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import { originOf } from './settings.js';
import { readAddressLine } from './virtual-addresses.js';

/** The lines of all blocks. */
export function readStaticAddresses(
  lines: readonly (readonly Word[])[],
  defaultInterface: string,
  report: Report,
): StaticAddress[] {
  const addresses = new Map<string, StaticAddress>();
  for (const words of lines) {
    const read = readAddressLine(words, report);
    const [first] = words;
    if (read === undefined || first === undefined) continue;
    const address = { ...read, device: read.device ?? defaultInterface, origin: originOf(first) };
    const key = `${address.address}/${address.length} ${address.device}`;
    const before = addresses.get(key);
    if (before === undefined) {
      addresses.set(key, address);
    } else {
      const message = `${first.text} on ${address.device} stands in line ${before.origin.line} already`;
      report.add('duplicate-address', first, message, 'remove one of them');
    }
  }
  return [...addresses.values()];
}
