// Writes a dump where anybody may have put something before (the default is /tmp): under a name of its own, which must
// be new, and moved into place in one step. A symbolic link at the path is replaced, never followed. Mode 0600, as
// keepalived's: there are passwords in it.

import { randomBytes } from 'node:crypto';
import { open, rename, unlink } from 'node:fs/promises';
import { DirectorError } from '../../errors.js';
import { requireReplaceable } from '../file-kind.js';

/** Throws IO; nothing is left behind then. */
export async function writeDump(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    requireReplaceable(path);
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (cause) {
    await unlink(draft).catch(() => {});
    throw new DirectorError('IO', `can't write ${path}: ${(cause as Error).message}`, { cause });
  }
}
