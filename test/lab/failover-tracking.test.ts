// What a virtual router depends on: a device, a script, a file. A weight moves the priority and so the mastership,
// weight 0 is a fault; sync groups go together. Each change waits on states, never on time.

import { expect } from 'vitest';
import { block, Director, directorText, failoverNeeds, Pair, vip } from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(...failoverNeeds);
const fast = { version: 3, interval_s: 0.1 } as const;

test('track_interface, track_script and track_file move priority and mastership', async () => {
  await using pair = await Pair.create('NAT');
  const good = pair.a.writeFile('good', '');
  const file = pair.a.writeFile('number', '0\n');
  const script = pair.a.writeFile('check.sh', `#!/bin/sh\ntest -e ${good}\n`);
  await pair.a.exec(['chmod', '755', script]);
  const head = [
    block('global_defs', ['script_user root']),
    block('vrrp_script check', [`script ${script}`, 'interval 0.1', 'weight -60', 'rise 2', 'fall 2']),
    block('track_file number', [`file ${file}`, 'weight 1']),
  ].join('\n');
  const tracked = {
    ...fast,
    priority: 150,
    addresses: [`${vip}/32 dev eth0`],
    lines: [
      block('track_interface', ['eth1']),
      block('track_script', ['check']),
      block('track_file', ['number']),
    ],
  };
  const a = await Director.start(pair.a, directorText([tracked], { head, method: 'NAT' }));
  const b = await Director.start(
    pair.b,
    directorText([{ ...fast, priority: 100, addresses: [`${vip}/32 dev eth0`] }], { method: 'NAT' }),
  );
  const master = async (who: 'a' | 'b', priority: number | undefined) => {
    await a.waitForState('VI_1', who === 'a' ? 'MASTER' : priority === undefined ? 'FAULT' : 'BACKUP');
    await b.waitForState('VI_1', who === 'a' ? 'BACKUP' : 'MASTER');
    if (priority !== undefined) expect((await a.router()).priority).toBe(priority);
  };
  await master('a', 150);
  // A script with a weight.
  await pair.a.exec(['rm', good]);
  await master('b', 90);
  pair.a.writeFile('good', '');
  await master('a', 150);
  // A file: its number times its weight.
  pair.a.writeFile('number', '-70\n');
  await master('b', 80);
  pair.a.writeFile('number', '20\n');
  await master('a', 170);
  // A device without a weight: fault, by carrier as well as by hand.
  const cable = pair.cable('director-a', 'eth1');
  for (const how of ['carrier', 'host'] as const) {
    await cable.cut(how);
    await master('b', undefined);
    expect((await a.router()).faults.join()).toContain('eth1');
    await cable.restore();
    await master('a', 170);
  }
});

test('a sync group falls and returns together', async () => {
  await using pair = await Pair.create('NAT');
  const text = (priority: number) =>
    directorText(
      [
        { ...fast, priority, addresses: [`${vip}/32 dev eth0`] },
        {
          ...fast,
          name: 'VI_2',
          device: 'eth1',
          virtualRouterId: 52,
          priority,
          addresses: ['10.2.0.1/24 dev eth1', 'fd00:2::1/64 dev eth1'].slice(0, 1),
        },
      ],
      { group: 'G', method: 'NAT' },
    );
  const a = await Director.start(pair.a, text(150));
  const b = await Director.start(pair.b, text(100));
  const both = async (director: Director, state: 'MASTER' | 'BACKUP' | 'FAULT') => {
    for (const name of ['VI_1', 'VI_2']) await director.waitForState(name, state);
  };
  await both(a, 'MASTER');
  await both(b, 'BACKUP');
  const cable = pair.cable('director-a', 'eth1');
  const outage = await pair.outageDuring(async () => {
    await cable.cut('carrier');
    await both(a, 'FAULT');
    await both(b, 'MASTER');
  });
  expect(outage.names).toEqual(['server-a', 'server-b']);
  await cable.restore();
  await both(a, 'MASTER');
  await both(b, 'BACKUP');
  expect((await a.failover()).syncGroups).toMatchObject([{ name: 'G', state: 'master' }]);
});
