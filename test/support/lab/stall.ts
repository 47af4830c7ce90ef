// A director whose event loop can be made to stand still, by a module that is preloaded into it: the product itself has
// no hook for it.

import { existsSync, readFileSync, renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Host } from './lab.js';
import { waitFor } from './wait.js';

export type Stallable = {
  /** For `Director.start`. */
  readonly env: Readonly<Record<string, string>>;
  /** Blocks the event loop for so long; resolves when it is blocked. */
  readonly block: (milliseconds: number) => Promise<void>;
  /** Resolves when every block has ended. */
  readonly waitUntilFree: (timeout_s?: number) => Promise<void>;
};

let count = 0;

export function stallable(host: Host): Stallable {
  count += 1;
  const name = `stall-${count}`;
  const file = host.file(name);
  const module = fileURLToPath(new URL('stall.mjs', import.meta.url));
  const told = (word: string) =>
    existsSync(`${file}.log`) ? readFileSync(`${file}.log`, 'utf8').split(`${word}\n`).length - 1 : 0;
  let asked = 0;
  return {
    env: { NODE_OPTIONS: `--import=${module}`, UVS_LAB_STALL_FILE: file },
    block: async (milliseconds) => {
      asked += 1;
      renameSync(host.writeFile(`${name}.draft`, String(milliseconds)), file);
      await waitFor('the event loop to be blocked', () => told('blocked') === asked);
    },
    waitUntilFree: async (timeout_s = 90) => {
      await waitFor('the event loop to be free', () => told('free') === asked, { timeout_s });
    },
  };
}
