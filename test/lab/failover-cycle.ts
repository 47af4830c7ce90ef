// The way that a uvs director and a foreign peer go together in the interoperability tests: election, priority change,
// takeover and return, each of them first as master. Real clients ask all the while who serves them.

import { expect } from 'vitest';
import {
  Director,
  directorText,
  Meter,
  nowMicros,
  type Pair,
  type RouterSpec,
  vip,
} from '../support/lab/index.js';

/** A foreign VRRP speaker on director-b, with a web server of its own there. */
export type ForeignPeer = {
  readonly waitForState: (state: 'MASTER' | 'BACKUP', timeout_s?: number) => Promise<void>;
  readonly setPriority: (priority: number) => Promise<void>;
  readonly stop: () => Promise<unknown>;
  readonly kill: () => Promise<unknown>;
  /** Messages that it refused, of any kind. */
  readonly refused: () => Promise<number>;
  readonly log: () => string;
};

export type Cycle = {
  readonly pair: Pair;
  /** Of both; priorities are set by the cycle. */
  readonly routers: readonly Omit<RouterSpec, 'priority'>[];
  readonly startPeer: (priority: number) => Promise<ForeignPeer>;
  /** Virtual IPs that clients ask. */
  readonly addresses?: readonly string[];
  /** Of one silence that ends in a takeover, with margin for a busy machine. */
  readonly patience_s: number;
  readonly group?: string;
  /** Also: the peer changes its priority, gives up, dies, and returns from both. */
  readonly isLong?: boolean;
};

/** Election, priority change, takeover and return; first the peer is master, then uvs. */
export async function runCycle(cycle: Cycle): Promise<void> {
  const { pair, patience_s } = cycle;
  const config = (priority: number) =>
    directorText(
      cycle.routers.map((router) => ({ ...router, priority })),
      cycle.group === undefined ? {} : { group: cycle.group },
    );
  const names = cycle.routers.map((router) => router.name ?? 'VI_1');
  let peer = await cycle.startPeer(150);
  await peer.waitForState('MASTER', patience_s);
  const uvs = await Director.start(pair.a, config(100));
  const is = async (master: 'uvs' | 'peer') => {
    for (const name of names)
      await uvs.waitForState(name, master === 'uvs' ? 'MASTER' : 'BACKUP', patience_s);
    await peer.waitForState(master === 'uvs' ? 'BACKUP' : 'MASTER', patience_s);
    for (const address of cycle.addresses ?? [vip]) {
      const who = await servedBy(pair, address);
      expect(who, `${master} is master`).toMatch(master === 'uvs' ? /^server-[ab]$/ : /^director-b$/);
    }
  };
  try {
    // Election: the peer was first and is better.
    await is('peer');
    expect((await uvs.reload(config(200))).stderr).not.toContain('error');
    await is('uvs');
    if (cycle.isLong === true) {
      await peer.setPriority(220);
      await is('peer');
      // The peer gives up, and returns.
      await peer.stop();
      for (const name of names) await uvs.waitForState(name, 'MASTER', patience_s);
      peer = await cycle.startPeer(220);
      await is('peer');
      // The peer dies without a word; a weaker one comes in its place.
      await peer.kill();
      for (const name of names) await uvs.waitForState(name, 'MASTER', patience_s);
      peer = await cycle.startPeer(100);
      await is('uvs');
    }
    // uvs gives up and the peer has been heard before uvs ends.
    const outage = await pair.outageDuring(async () => {
      await uvs.stop();
      await peer.waitForState('MASTER', patience_s);
    }, cycle.addresses?.[0]);
    expect(outage.names).toContain('director-b');
    // keepalived's own goodbye costs 640 ms with priority 100 and advert_int 1.
    expect(outage.gapMicros).toBeLessThan(250_000);
    const back = await Director.start(pair.a, config(200));
    for (const name of names) {
      await back.waitForState(name, 'MASTER', patience_s);
      await peer.waitForState('BACKUP', patience_s);
      const refused = Object.entries((await back.router(name)).counters.rejected).filter(
        ([, count]) => count > 0,
      );
      expect(refused, 'what uvs refused').toEqual([]);
    }
    expect(await peer.refused(), peer.log()).toBe(0);
    // uvs dies without a word: its guardian speaks for it.
    await back.kill();
    await peer.waitForState('MASTER', patience_s);
    expect(await servedBy(pair, (cycle.addresses ?? [vip])[0] ?? vip)).toBe('director-b');
    await peer.stop();
  } catch (error) {
    throw new Error(`${String(error)}\n${await pair.adverts.tail()}\n${uvs.log().slice(-3000)}`, {
      cause: error,
    });
  }
}

/** Name of whoever answers now: five answers in a row. */
async function servedBy(pair: Pair, address: string): Promise<string> {
  const since = nowMicros();
  const meter = await Meter.launch(pair.client, address);
  await meter.waitForAnswers(5, since);
  await meter.stop();
  return meter.record().at(-1)?.name ?? '';
}
