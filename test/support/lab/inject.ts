// Raw frames into a device of the lab, for what no well-behaved program would send.
// The sender is inject.c beside this file, compiled when first needed: Node has no packet sockets.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Host } from './lab.js';
import { runOk } from './process.js';

const source = fileURLToPath(new URL('inject.c', import.meta.url));

/** Sends the frames in order; gives how many the kernel took (it refuses those shorter than an Ethernet header). */
export async function inject(host: Host, device: string, frames: readonly Uint8Array[]): Promise<number> {
  const program = join(host.lab.dir, 'inject');
  if (!existsSync(program)) await runOk(['cc', '-O1', '-o', program, source]);
  const stdin = Buffer.concat(
    frames.flatMap((frame) => [Buffer.from([frame.length >> 8, frame.length & 255]), frame]),
  );
  return Number(await host.exec([program, device], { stdin }));
}
