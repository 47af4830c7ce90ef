// Two uvs directors, and a client that asks 100 times a second: what it misses when the master is stopped, switched
// over, killed or cut off. The bounds are the with room for a busy machine; `npm run bench -- failover` measures.

import { expect, test } from 'vitest';
import { Director, directorText, failoverNeeds, Pair, type RouterSpec, vip } from '../support/lab/index.js';
import { requires } from '../support/require.js';

const lab = requires(...failoverNeeds);
const slow = { version: 2, interval_s: 1 } as const;
const fast = { version: 3, interval_s: 0.05 } as const;
const milli = 1000;

lab.test(
  'advert_int 1: stop and switchover cost nothing that a client would notice, SIGKILL less than a second',
  async () => {
    await using pair = await Pair.create();
    let [a, b] = await startBoth(pair, slow);
    const overlap = await pair.watchOverlap();

    const switched = await pair.outageDuring(async () => {
      const answer = await a.cli('switchover');
      expect([answer.code, answer.stderr]).toEqual([0, '']);
      expect(answer.stdout).toContain('10.1.0.3 took over');
      await b.waitForState('VI_1', 'MASTER');
      await a.waitForState('VI_1', 'BACKUP');
    });
    expect(switched.gapMicros, JSON.stringify(switched)).toBeLessThan(150 * milli);

    // Held back since the switchover, whatever its priority: it takes over only when the master ends.
    const stopped = await pair.outageDuring(async () => {
      expect((await b.stop()).code).toBe(0);
      await a.waitForState('VI_1', 'MASTER');
    });
    expect(stopped.gapMicros, JSON.stringify(stopped)).toBeLessThan(150 * milli);

    b = await Director.start(pair.b, textOf(slow, 100));
    await b.waitForState('VI_1', 'BACKUP');
    const killed = await pair.outageDuring(async () => {
      await a.kill();
      await b.waitForState('VI_1', 'MASTER');
    });
    // The guardian's priority 0, and 609 ms of skew for priority 100.
    expect(killed.gapMicros, JSON.stringify(killed)).toBeLessThan(1200 * milli);
    const { takeovers } = await b.router();
    expect(takeovers.at(-1)).toMatchObject({ cause: 'released', isWithin: true });

    a = await Director.start(pair.a, textOf(slow, 150));
    await a.waitForState('VI_1', 'MASTER');
    await b.waitForState('VI_1', 'BACKUP');
    // Make before break means a moment with both: until the old master has heard the new one's advert.
    expect(await overlap()).toBeLessThan(1000 * milli);
    expect((await a.stop()).code).toBe(0);
    expect((await b.stop()).code).toBe(0);
  },
);

lab.describe('v3, advert_int 0.05', () => {
  // Of a sync group that hears its peer on one link and not on the other only the carrier can tell who should give way.
  test.each([
    ['DR', 'silent'],
    ['NAT', 'carrier'],
  ] as const)('%s: a link cut (%s) costs no more than its budget, and heals', async (method, how) => {
    await using pair = await Pair.create(method);
    const [a, b] = await startBoth(pair, fast, method);
    const cable = pair.cable('director-a');
    const cut = await pair.outageDuring(async () => {
      await cable.cut(how);
      await b.waitForState('VI_1', 'MASTER');
    });
    // 3 intervals and the skew of priority 100 are 180 ms.
    expect(cut.gapMicros, JSON.stringify(cut)).toBeLessThan(600 * milli);
    const healed = await pair.outageDuring(async () => {
      await cable.restore();
      await b.waitForState('VI_1', 'BACKUP');
      await a.waitForState('VI_1', 'MASTER');
    });
    expect(healed.gapMicros, JSON.stringify(healed)).toBeLessThan(400 * milli);
  });
});

function textOf(
  timing: Pick<RouterSpec, 'version' | 'interval_s'>,
  priority: number,
  method: 'DR' | 'NAT' = 'DR',
): string {
  const front = { ...timing, priority, addresses: [`${vip}/32 dev eth0`] };
  if (method === 'DR') return directorText([front]);
  // The servers' default route is an address of the same director.
  const back = {
    ...timing,
    name: 'VI_2',
    device: 'eth1',
    virtualRouterId: 52,
    priority,
    addresses: ['10.2.0.1/24 dev eth1'],
  };
  return directorText([front, back], { group: 'G', method });
}

/** Both run, the first as master. */
async function startBoth(
  pair: Pair,
  timing: Pick<RouterSpec, 'version' | 'interval_s'>,
  method: 'DR' | 'NAT' = 'DR',
): Promise<[Director, Director]> {
  const a = await Director.start(pair.a, textOf(timing, 150, method));
  await a.waitForState('VI_1', 'MASTER');
  const b = await Director.start(pair.b, textOf(timing, 100, method));
  await b.waitForState('VI_1', 'BACKUP');
  return [a, b];
}
