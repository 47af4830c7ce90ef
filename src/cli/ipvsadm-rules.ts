// The rules that a machine with ipvsadm restores when it boots: the file is read, and what it asks for is given as changes.

import { existsSync, readFileSync } from 'node:fs';
import { DirectorError, ioFailure } from '../errors.js';
import { type RestoreLine, restoreLines } from '../ipvsadm/restore.js';
import { Refusal } from '../ipvsadm/scan.js';
import { LookedUp } from './looked-up.js';

/** Debian's, and Red Hat's. */
export const ruleFiles = ['/etc/ipvsadm.rules', '/etc/sysconfig/ipvsadm'] as const;

export type Rules = { readonly file: string; readonly lines: readonly RestoreLine[] };

/** `given`, else the first of the usual ones that is there. Throws CONFIG_UNREADABLE, or CONFIG_INVALID with the line. */
export async function readRules(given: string | undefined): Promise<Rules> {
  const file = given ?? ruleFiles.find((path) => existsSync(path));
  if (file === undefined) {
    throw new DirectorError(
      'CONFIG_UNREADABLE',
      `there are no rules: neither ${ruleFiles.join(' nor ')} exists; name a file behind --ipvsadm-rules`,
    );
  }
  const text = read(file);
  const names = new LookedUp();
  try {
    return { file, lines: await names.during(() => restoreLines(text, names)) };
  } catch (error) {
    if (error instanceof Refusal) throw new DirectorError('CONFIG_INVALID', `${file}: ${error.message}`);
    throw error;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return ioFailure(`reading ${file}`)(error);
  }
}
