// What a kernel has to do, run in a guest that has booted it: the director starts with the capabilities of the shipped
// unit and no others, and long connections through it stay whole. A line a result; exit code 0 when all were well.

import { readFileSync } from 'node:fs';
import { lineOf, measureDisturbances } from '../../bench/disturbance/bench.js';

/** Disturbances of the bench, by name: each is struck under NAT and DR, IPv4 and IPv6. */
const rows = ['stands still for 2 s', 'restart'];
const connections = 1000;
/** What emulation bears of so many. */
const every_ms = 2000;

/** `setpriv` with the bounding set of the unit file, as words. */
function unitCapabilities(): readonly string[] {
  const unit = readFileSync('examples/systemd/uvs.service', 'utf8');
  const names = /^CapabilityBoundingSet=(.+)$/m.exec(unit)?.[1]?.split(' ') ?? [];
  if (names.length === 0) throw new Error('the unit file names no capabilities');
  const set = names.map((name) => `+${name.replace(/^CAP_/, '').toLowerCase()}`).join(',');
  return ['setpriv', '--no-new-privs', `--bounding-set=-all,${set}`, '--'];
}

const results = await measureDisturbances({
  connections,
  every_ms,
  only: rows,
  director: { startedBy: unitCapabilities(), ready_s: 120 },
  onResult: (result) => console.log(lineOf(result)),
});
process.exitCode = results.length > 0 && results.every(({ open }) => open === connections) ? 0 : 1;
