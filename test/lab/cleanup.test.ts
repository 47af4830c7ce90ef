// Director and guardian killed together: what the unit's clean-up removes then, and what it leaves to a living director and
// to others. What it leaves to a restart: restart.test.ts.

import { expect, test } from 'vitest';
import {
  cliFile,
  Director,
  directorText,
  failoverNeeds,
  type Host,
  hasAddress,
  Pair,
  vip,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const config = [
  'static_ipaddress {\n  10.1.0.200/32 dev eth0\n}',
  directorText([
    {
      name: 'V4',
      priority: 150,
      version: 3,
      interval_s: 1,
      state: 'MASTER',
      addresses: [`${vip}/24 dev eth0`],
      lines: ['virtual_routes {\n  10.77.0.0/24 via 10.1.0.10 dev eth0\n}'],
    },
    {
      name: 'MAC',
      priority: 150,
      version: 3,
      interval_s: 1,
      state: 'MASTER',
      virtualRouterId: 53,
      addresses: ['10.1.0.110/32'],
      lines: ['use_vmac vrrp.53'],
    },
  ]),
].join('\n');
const addresses = [vip, '10.1.0.110', '10.1.0.200'];

const forms = [
  { form: 'tcx', env: {} },
  { form: 'clsact', env: { UVS_STEERING: 'clsact' } },
] as const;

async function held(pair: Pair): Promise<readonly string[]> {
  const there = await Promise.all(addresses.map((address) => hasAddress(pair.a, address)));
  return addresses.filter((_, i) => there[i]);
}

async function startMaster(pair: Pair, env = {}): Promise<Director> {
  const director = await Director.start(pair.a, config, { env });
  for (const name of ['V4', 'MAC']) await director.waitForState(name, 'MASTER');
  await waitFor('all addresses', async () => (await held(pair)).length === addresses.length);
  return director;
}

async function cleanUp(host: Host): Promise<void> {
  expect(await host.exec(['node', cliFile, 'cleanup'])).toContain('nothing of a dead director');
}

/** Addresses, routes, devices, filters and settings, in the words of the tools that show them; without what ticks. */
async function everythingOf(host: Host): Promise<readonly string[]> {
  return await Promise.all([
    host.ip('-o addr show'),
    host.ip('route show table all'),
    host.ip('-6 route show table all'),
    host.ip('-d -o link show'),
    host.exec('tc filter show dev eth0 ingress'),
    host.exec('sysctl -ar net.ipv4.conf.eth0'),
  ]);
}

/** What others have on the machine, as like ours as it can be. */
async function addForeign(host: Host): Promise<void> {
  for (const command of [
    'addr add 10.1.0.220/32 dev eth0',
    'route add 10.88.0.0/24 via 10.1.0.10 dev eth0 proto static',
    'link add foreign.53 link eth0 address 00:00:5e:00:01:36 type macvlan mode vepa',
    'link add uvs9 type veth peer name uvs8',
  ])
    await host.ip(command);
  await host.exec('tc qdisc add dev eth0 clsact');
  const filter = 'tc filter add dev eth0 ingress pref 5 protocol all bpf bytecode';
  await host.exec([...filter.split(' '), '1,6 0 0 0', 'direct-action']);
}

requires(...failoverNeeds).describe('the clean-up', () => {
  test.each(forms)(
    '$form: director and guardian killed together leave nothing behind the clean-up',
    async ({ env }) => {
      await using pair = await Pair.create();
      await addForeign(pair.a);
      const before = await everythingOf(pair.a);
      await cleanUp(pair.a);
      expect(await everythingOf(pair.a)).toEqual(before);

      const director = await startMaster(pair, env);
      // Stopped first: it must not see the director's end.
      const guardian = `for pid in $(ip netns pids ${pair.a.ns}); do grep -qx uvs-guardian /proc/$pid/comm && kill`;
      await pair.a.exec(['sh', '-c', `${guardian} -STOP $pid; done; true`]);
      await director.kill();
      await pair.a.exec(['sh', '-c', `${guardian} -KILL $pid; done; true`]);
      expect(await held(pair)).toEqual(addresses);
      for (let round = 0; round < 2; round++) {
        await cleanUp(pair.a);
        expect(await everythingOf(pair.a)).toEqual(before);
      }
    },
  );

  test("a living director's things are not touched", async () => {
    await using pair = await Pair.create();
    const director = await startMaster(pair);
    const { code, stderr } = await pair.a.tryExec(['node', cliFile, 'cleanup']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('another director')]);
    expect(await held(pair)).toEqual(addresses);
    expect((await director.router('V4')).state).toBe('master');
  });
});
