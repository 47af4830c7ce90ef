// A tunnel between two hosts of a lab. Its devices have no link layer (frames begin at the IP header), or it is `tagged`:
// Ethernet whose frames all arrive with a priority tag. See tunnel.c.

import { compiled } from './compile.js';
import type { Host } from './lab.js';
import type { TrackedProcess } from './process.js';

export class Tunnel {
  private constructor(readonly process: TrackedProcess) {}

  /** Both devices are there and down when it resolves, and go with the lab. `type`: of ARPHRD_; `offload`: large frames pass whole. */
  static async start(
    left: Host,
    leftDevice: string,
    right: Host,
    rightDevice: string,
    {
      offload = false,
      tagged = false,
      type,
    }: { readonly offload?: boolean; readonly tagged?: boolean; readonly type?: number },
  ): Promise<Tunnel> {
    const program = await compiled(left.lab, 'tunnel');
    const ends = [
      left.ns,
      leftDevice,
      right.ns,
      rightDevice,
      ...(offload ? ['offload'] : tagged ? ['tagged'] : type === undefined ? [] : [String(type)]),
    ];
    const child = left.spawn([program, ...ends], { name: 'tunnel' });
    await child.waitForOutput(/^ready$/m);
    return new Tunnel(child);
  }
}
