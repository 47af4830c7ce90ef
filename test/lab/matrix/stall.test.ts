// A stall of a whole minute (`npm run lab:failover`): the peer has taken over long before it ends, and two masters never
// last longer than an interval, neither when it begins nor when it ends.

import { expect } from 'vitest';
import {
  Director,
  directorText,
  failoverNeeds,
  mastersAtOnce,
  Pair,
  stallable,
  vip,
} from '../../support/lab/index.js';
import { requires } from '../../support/require.js';

const second = 1_000_000;
const textOf = (priority: number) => directorText([{ priority, addresses: [`${vip}/32 dev eth0`] }]);

requires(...failoverNeeds).test(
  'an event loop that stands still for 60 s',
  async () => {
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
  },
  150_000,
);
