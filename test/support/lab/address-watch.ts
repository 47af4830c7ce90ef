// Who had a virtual address when: the kernel's own notes of addresses that came and went on a host, and what several
// hosts' notes say together. Times are microseconds of the real-time clock, as in captures.

import type { Host } from './lab.js';
import type { TrackedProcess } from './process.js';
import { waitFor } from './wait.js';

export type Holding = { readonly fromMicros: number; readonly toMicros: number };

export class AddressWatch {
  private constructor(
    readonly host: Host,
    readonly address: string,
    private readonly process: TrackedProcess,
    private readonly hadAtStart: boolean,
  ) {}

  /** From now on. */
  static async start(host: Host, address: string): Promise<AddressWatch> {
    const child = host.spawn(['ip', '-o', '-ts', 'monitor', 'address'], { name: 'addresses' });
    // Its socket listens before it waits in it.
    await waitFor(`the address monitor on ${host.name}`, async () =>
      /NETLINK|[0-9]/.test(
        await host.exec(['sh', '-c', `ss -H -f netlink | grep 'rtnl:ip/${child.pid} ' | head -1`]),
      ),
    );
    return new AddressWatch(host, address, child, await hasAddress(host, address));
  }

  /** When this host had the address, oldest first; a holding that goes on ends at Infinity. */
  holdings(): readonly Holding[] {
    return parseHoldings(this.process.output(), this.address, this.hadAtStart);
  }

  /** The holdings, once they agree with what the host has now: its notes come a moment later. */
  async settled(): Promise<readonly Holding[]> {
    return await waitFor(`notes of ${this.address} on ${this.host.name}`, async () => {
      const isHeld = await hasAddress(this.host, this.address);
      const holdings = this.holdings();
      return isHeld === (holdings.at(-1)?.toMicros === Number.POSITIVE_INFINITY) ? holdings : undefined;
    });
  }
}

export async function hasAddress(host: Host, address: string): Promise<boolean> {
  return (await host.ip('-o addr show')).includes(` ${address}/`);
}

export function parseHoldings(text: string, address: string, hadAtStart: boolean): readonly Holding[] {
  const holdings: Holding[] = [];
  let from = hadAtStart ? 0 : undefined;
  for (const line of text.split('\n')) {
    const [, stamp, deleted] = /^\[([^\]]+)\] (Deleted )?/.exec(line) ?? [];
    if (stamp === undefined || !line.includes(` ${address}/`)) continue;
    const at = microsOf(stamp);
    if (deleted === undefined) from ??= at;
    else if (from !== undefined) {
      holdings.push({ fromMicros: from, toMicros: at });
      from = undefined;
    }
  }
  return from === undefined
    ? holdings
    : [...holdings, { fromMicros: from, toMicros: Number.POSITIVE_INFINITY }];
}

/** How long two hosts had the address at the same time, in all. */
export function overlapMicros(left: readonly Holding[], right: readonly Holding[]): number {
  let sum = 0;
  for (const a of left) {
    for (const b of right) {
      sum += Math.max(0, Math.min(a.toMicros, b.toMicros) - Math.max(a.fromMicros, b.fromMicros));
    }
  }
  return sum;
}

/** iproute2's `2026-11-26T00:34:13.123456`, local time. */
function microsOf(stamp: string): number {
  const [whole = '', fraction = '0'] = stamp.split('.');
  return new Date(whole).getTime() * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}
