// The lab's own little C programs, compiled when a lab first needs them: Node has no packet sockets, and its event loop
// stalls where a measurement may not.

import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab } from './lab.js';
import { runOk } from './process.js';

/** Path of the program made from `NAME.c` beside this file. */
export async function compiled(
  lab: Lab,
  name: 'dialogue' | 'inject' | 'meter' | 'shuffled' | 'tunnel',
): Promise<string> {
  const program = join(lab.dir, name);
  if (existsSync(program)) return program;
  const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
  // Two that need it at the same time both compile; neither runs a half-written file.
  const draft = `${program}-${performance.now()}`;
  await runOk(['cc', '-O1', '-o', draft, source]);
  renameSync(draft, program);
  return program;
}
