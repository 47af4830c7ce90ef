// A director whose event loop stands still: mastership survives what the advert repeater bridges, and ends with the lease
// when it is longer. Two masters never last longer than an interval: judged by what the switch saw and by the kernel's
// notes of who had the address. A stall of a whole minute, and one of the whole process, are in matrix/.

import { expect } from 'vitest';
import {
  Director,
  directorText,
  failoverNeeds,
  mastersAtOnce,
  nowMicros,
  Pair,
  stallable,
  vip,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(...failoverNeeds);
const second = 1_000_000;
const textOf = (priority: number) => directorText([{ priority, addresses: [`${vip}/32 dev eth0`] }]);

test('an event loop that stands still for 2.5 s loses nothing, one that does for 6 s hands over once', async () => {
  await using pair = await Pair.create();
  const stall = stallable(pair.a);
  const a = await Director.start(pair.a, textOf(150), { env: stall.env });
  await a.waitForState('VI_1', 'MASTER');
  const b = await Director.start(pair.b, textOf(100));
  await b.waitForState('VI_1', 'BACKUP');
  const overlap = await pair.watchOverlap();

  const short = await pair.outageDuring(async () => {
    await stall.block(2500);
    await stall.waitUntilFree();
    await a.waitForState('VI_1', 'MASTER');
  });
  const text = await pair.adverts.tail();
  expect((await b.router()).counters.becameMaster, text).toBe(0);
  expect((await a.router()).counters.releasedMaster, text).toBe(0);
  // The packets of the service never noticed.
  expect(short.failures, text).toEqual({});

  const since = nowMicros();
  const long = await pair.outageDuring(async () => {
    await stall.block(6000);
    await b.waitForState('VI_1', 'MASTER');
  });
  // Nobody has asked the blocked director: its guardian has given up for it, at the end of the lease of 4 s.
  expect(long.gapMicros, JSON.stringify(long)).toBeLessThan(1.5 * second);
  await stall.waitUntilFree();
  // It comes back as a backup, and takes over as any better one does.
  await a.waitForState('VI_1', 'MASTER');
  await b.waitForState('VI_1', 'BACKUP');
  expect(await overlap(), await pair.adverts.tail()).toBeLessThan(1 * second);
  expect(mastersAtOnce(await pair.adverts.adverts(), since), await pair.adverts.tail()).toBeLessThan(
    1.2 * second,
  );
  expect((await b.router()).counters.becameMaster).toBe(1);
});
