// Raw frames into a device of the lab, for what no well-behaved program would send.
// The sender is inject.c beside this file: Node has no packet sockets.

import { compiled } from './compile.js';
import type { Host } from './lab.js';

/** Sends the frames in order; gives how many the kernel took (it refuses those shorter than an Ethernet header). */
export async function inject(host: Host, device: string, frames: readonly Uint8Array[]): Promise<number> {
  const program = await compiled(host.lab, 'inject');
  const stdin = Buffer.concat(
    frames.flatMap((frame) => [Buffer.from([frame.length >> 8, frame.length & 255]), frame]),
  );
  return Number(await host.exec([program, device], { stdin }));
}
