// What stands at a path, where only a regular file is read or replaced. A configuration may name anything: a FIFO would be
// waited for, and a device, as in `state_dump_file /dev/null`, would be gone for the whole machine.

import { type Stats, statSync } from 'node:fs';
import { DirectorError } from '../errors.js';

/** In words; undefined for a regular file. */
export function otherKind(status: Stats): string | undefined {
  if (status.isFile()) return undefined;
  if (status.isDirectory()) return 'it is a directory';
  return `it is ${status.isFIFO() ? 'a FIFO' : status.isSocket() ? 'a socket' : 'a device'}`;
}

/** Throws IO where something else than a file stands at `path`, or behind the link there. */
export function requireReplaceable(path: string): void {
  const status = statSync(path, { throwIfNoEntry: false });
  const kind = status && otherKind(status);
  if (kind !== undefined) throw new DirectorError('IO', `${kind}, and only regular files are replaced`);
}
