// A stall of a whole minute (`npm run lab:failover`): the peer has taken over long before it ends, and two masters never
// last longer than an interval, neither when it begins nor when it ends.

import { expect, test } from 'vitest';
import {
  Director,
  directorText,
  failoverNeeds,
  hasAddress,
  mastersAtOnce,
  Pair,
  stallable,
  vip,
  waitFor,
} from '../../support/lab/index.js';
import { requires } from '../../support/require.js';

const second = 1_000_000;
const textOf = (priority: number) => directorText([{ priority, addresses: [`${vip}/32 dev eth0`] }]);

requires(...failoverNeeds).describe('stalls', () => {
  test('an event loop that stands still for 60 s', { timeout: 150_000 }, async () => {
    await using pair = await Pair.create();
    const stall = stallable(pair.a);
    const a = await Director.start(pair.a, textOf(150), { env: stall.env });
    await a.waitForState('VI_1', 'MASTER');
    const b = await Director.start(pair.b, textOf(100));
    await b.waitForState('VI_1', 'BACKUP');
    const overlap = await pair.watchOverlap();
    const outage = await pair.outageDuring(async () => {
      await stall.block(60_000);
      await b.waitForState('VI_1', 'MASTER');
      await stall.waitUntilFree();
      await a.waitForState('VI_1', 'MASTER');
      await b.waitForState('VI_1', 'BACKUP');
    });
    const text = await pair.adverts.tail();
    expect(await overlap(), text).toBeLessThan(second);
    expect(mastersAtOnce(await pair.adverts.adverts()), text).toBeLessThan(1.1 * second);
    expect((await b.router()).counters.becameMaster, text).toBe(1);
    expect(outage.gapMicros, JSON.stringify(outage)).toBeLessThan(1.5 * second);
  });

  test('a stopped process: at the end of its lease the guardian says priority 0 and takes the addresses away', async () => {
    await using pair = await Pair.create();
    const a = await Director.start(pair.a, textOf(150));
    await a.waitForState('VI_1', 'MASTER');
    const b = await Director.start(pair.b, textOf(100));
    await b.waitForState('VI_1', 'BACKUP');
    const overlap = await pair.watchOverlap();
    a.process.signal('SIGSTOP');
    await b.waitForState('VI_1', 'MASTER');
    await waitFor('the address to leave', async () => !(await hasAddress(pair.a, vip)));
    // Its repeater stands still, too: the peer takes over 3.6 s after the last advert, the lease ends after 4 s.
    expect(await overlap(), await pair.adverts.tail()).toBeLessThan(1 * second);
    await waitFor('priority 0', async () =>
      (await pair.adverts.adverts()).some(({ source, priority }) => source === '10.1.0.2' && priority === 0),
    );
    a.process.signal('SIGCONT');
    await a.waitForState('VI_1', 'MASTER');
    await b.waitForState('VI_1', 'BACKUP');
    expect(await overlap(), await pair.adverts.tail()).toBeLessThan(1 * second);
  });
});
