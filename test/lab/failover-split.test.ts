// Split-brain: adverts get lost in one direction, so both directors are master. It is noticed, said, counted, and healed
// with announcements, so that no neighbour stays with the loser. And an address that is somebody else's is noticed, too.

import { expect } from 'vitest';
import {
  Director,
  directorText,
  failoverNeeds,
  hasAddress,
  Pair,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(...failoverNeeds);
const textOf = (priority: number) =>
  directorText([
    { name: 'V4', priority, version: 3, interval_s: 0.2, addresses: [`${vip}/32 dev eth0`] },
    { name: 'V6', priority, version: 3, interval_s: 0.2, addresses: [`${vip6}/128 dev eth0`] },
  ]);
const names = ['V4', 'V6'];

test('adverts lost one way: both are master, both say so, and the winner announces again when it heals', async () => {
  await using pair = await Pair.create();
  const a = await Director.start(pair.a, textOf(150));
  const b = await Director.start(pair.b, textOf(100));
  for (const name of names) {
    await a.waitForState(name, 'MASTER');
    await b.waitForState(name, 'BACKUP');
  }
  // The client knows the way to both addresses.
  for (const address of [vip, vip6]) await pair.outageDuring(async () => {}, address);
  const cable = pair.cable('director-a');
  await cable.drop('from', 'meta l4proto 112');
  for (const name of names) await b.waitForState(name, 'MASTER');
  const isReported = async (director: Director, name: string) => {
    const { reports, rejected } = (await director.router(name)).counters;
    return (reports['second-master'] ?? 0) > 0 && Object.values(rejected).every((count) => count === 0);
  };
  for (const name of names) {
    expect((await a.router(name)).state).toBe('master');
    // The first hears the second; the second asked who has the address before it took it.
    await waitFor(`a second master of ${name} to be told`, () => isReported(a, name), {
      detail: async () => JSON.stringify((await a.failover()).virtualRouters, undefined, 1),
    });
    await waitFor(
      `${name}: the address in use to be told`,
      async () => {
        return ((await b.router(name)).counters.reports['address-conflict'] ?? 0) > 0;
      },
      { detail: async () => JSON.stringify((await b.failover()).virtualRouters, undefined, 1) },
    );
    expect((await a.router(name)).why).toMatch(/is master too/);
  }
  expect(a.log()).toMatch(/second master|master too/);

  const before = (await pair.adverts.announcements()).length;
  await cable.restore();
  for (const name of names) await b.waitForState(name, 'BACKUP');
  for (const address of [vip, vip6]) {
    await waitFor(`${address} to leave the loser`, async () => !(await hasAddress(pair.b, address)));
    const winner = await pair.a.mac('eth0');
    await waitFor(`the winner to announce ${address}`, async () =>
      (await pair.adverts.announcements())
        .slice(before)
        .some((one) => one.address === address && one.sourceMac === winner),
    );
    await waitFor(`the client to know the winner of ${address}`, async () =>
      (await pair.client.ip(`neigh show ${address}`)).includes(winner),
    );
  }
  const calm = await pair.outageDuring(async () => {});
  expect(calm.names).toEqual(['server-a', 'server-b']);
});

test('adverts lost both ways: the first master hears by ARP and neighbour discovery that it is not alone', async () => {
  await using pair = await Pair.create();
  const a = await Director.start(pair.a, textOf(150));
  for (const name of names) await a.waitForState(name, 'MASTER');
  const cable = pair.cable('director-a');
  await cable.drop('from', 'meta l4proto 112');
  await cable.drop('to', 'meta l4proto 112');
  const b = await Director.start(pair.b, textOf(100));
  for (const name of names) {
    await b.waitForState(name, 'MASTER');
    const told = async () => (await a.router(name)).counters.reports['address-conflict'] ?? 0;
    await waitFor(`a second holder of ${name} to be told`, async () => (await told()) > 0);
    expect((await a.router(name)).why).toMatch(
      /is also at .*: is VRRP, IP protocol 112, blocked between the directors(, or does a real server answer for it \(arp_ignore\))?\?/,
    );
  }
  await cable.restore();
  for (const name of names) await b.waitForState(name, 'BACKUP');
});

test('a master that was cut off has its servers back as soon as it hears of the other', async () => {
  await using pair = await Pair.create();
  // Far longer than this test has time for.
  const slow = (text: string) =>
    text
      .replaceAll('delay_loop 0.3', 'delay_loop 300')
      .replaceAll(/(real_server .*\{)/g, '$1\n TCP_CHECK {\n warmup 0.1\n connect_timeout 0.2\n retry 0\n }');
  const a = await Director.start(pair.a, slow(textOf(150)));
  const b = await Director.start(pair.b, slow(textOf(100)));
  for (const name of names) {
    await a.waitForState(name, 'MASTER');
    await b.waitForState(name, 'BACKUP');
  }
  const servers = ['10.1.0.21:80', '10.1.0.22:80'];
  await a.waitForServers(`${vip}:80`, servers);
  const cable = pair.cable('director-a');
  await cable.cut('silent');
  for (const name of names) await b.waitForState(name, 'MASTER');
  // A reload with another timeout has each checker begin anew, and find nobody.
  await a.reload(slow(textOf(150)).replaceAll('connect_timeout 0.2', 'connect_timeout 0.3'));
  await a.waitForServers(`${vip}:80`, []);
  await cable.restore();
  await a.waitForServers(`${vip}:80`, servers);
  for (const name of names) await b.waitForState(name, 'BACKUP');
});
