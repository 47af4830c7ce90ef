// What a director does to its machine for a virtual router: addresses with label, scope, broadcast and prefix, excluded
// addresses, routes, the virtual MAC's device; all gone after a stop, and after SIGKILL by its guardian.

import { expect } from 'vitest';
import {
  Capture,
  Director,
  directorText,
  failoverNeeds,
  type Host,
  hasAddress,
  Pair,
  type RouterSpec,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(...failoverNeeds);
const fast = { version: 3, interval_s: 0.1, priority: 150 } as const;

const everything: RouterSpec = {
  ...fast,
  addresses: [
    `${vip}/24 brd 10.1.0.255 dev eth0 label eth0:vip`,
    '10.1.0.101/32 dev eth0 scope link',
    '10.1.0.102/32 brd 10.1.0.254 dev eth0 scope host',
  ],
  lines: [
    'virtual_ipaddress_excluded {\n    10.1.0.150/32 dev eth0\n    fd00:1::150/128 dev eth0\n}',
    'virtual_routes {\n    10.77.0.0/24 via 10.1.0.10 dev eth0 src 10.1.0.101 metric 77\n    blackhole 10.78.0.0/24\n}',
  ],
};
const owned = [vip, '10.1.0.101', '10.1.0.102', '10.1.0.150', 'fd00:1::150'];

test('addresses come with what their lines say, and go with the mastership', async () => {
  await using pair = await Pair.create();
  const director = await Director.start(pair.a, directorText([everything]));
  await director.waitForState('VI_1', 'MASTER');
  await waitFor('all addresses', () => hasAll(pair.a, owned));
  const shown = await pair.a.ip('-o -4 addr show dev eth0');
  expect(shown).toMatch(/10\.1\.0\.100\/24 brd 10\.1\.0\.255 scope global .*eth0:vip/);
  expect(shown).toMatch(/10\.1\.0\.101\/32 scope link/);
  expect(shown).toMatch(/10\.1\.0\.102\/32 brd 10\.1\.0\.254 scope host/);
  await waitFor('the route', async () =>
    /via 10\.1\.0\.10 dev eth0 .*src 10\.1\.0\.101 metric 77/.test(
      await pair.a.ip('route show 10.77.0.0/24'),
    ),
  );
  await waitFor('the hole', async () => (await pair.a.ip('route show 10.78.0.0/24')).startsWith('blackhole'));
  // Excluded addresses stand in no advert.
  const [advert] = await waitFor('an advert', async () => {
    const adverts = await pair.adverts.adverts();
    return adverts.length > 0 ? adverts : undefined;
  });
  expect(advert?.addresses).toEqual([vip, '10.1.0.101', '10.1.0.102']);

  // Somebody better comes and goes.
  const better = await Director.start(pair.b, directorText([{ ...everything, priority: 200 }]));
  await director.waitForState('VI_1', 'BACKUP');
  await waitFor('no address', () => hasNone(pair.a, owned));
  expect(await pair.a.ip('route show 10.77.0.0/24')).toBe('');
  expect(await pair.a.ip('route show 10.78.0.0/24')).toBe('');
  expect(await pair.a.ip('-4 addr show dev eth0')).toContain('10.1.0.2/24');
  expect((await better.stop()).code).toBe(0);
  await director.waitForState('VI_1', 'MASTER');
  expect((await director.stop()).code).toBe(0);
  expect(await hasNone(pair.a, owned)).toBe(true);
});

test('a reload changes prefix lengths, there and back; the address is there all the time or at once again', async () => {
  await using pair = await Pair.create();
  const text = (length: number, length6: number) =>
    directorText([
      { ...fast, name: 'V4', addresses: [`${vip}/${length} dev eth0`] },
      { ...fast, name: 'V6', addresses: [`${vip6}/${length6} dev eth0`] },
    ]);
  const director = await Director.start(pair.a, text(24, 64));
  for (const name of ['V4', 'V6']) await director.waitForState(name, 'MASTER');
  const shown = async () => (await pair.a.ip('-o addr show dev eth0')).split('\n');
  const has = async (address: string, length: number) => {
    const lines = (await shown()).filter((line) => line.includes(` ${address}/`));
    return lines.length === 1 && lines[0]?.includes(` ${address}/${length} `) === true;
  };
  await waitFor('the addresses', async () => (await has(vip, 24)) && (await has(vip6, 64)));
  for (const [length, length6] of [
    [32, 128],
    [24, 64],
    [28, 112],
  ] as const) {
    expect((await director.reload(text(length, length6))).code).toBe(0);
    await waitFor(
      `/${length} and /${length6}`,
      async () => (await has(vip, length)) && (await has(vip6, length6)),
    );
  }
  expect((await director.stop()).code).toBe(0);
  expect(await hasNone(pair.a, [vip, vip6])).toBe(true);
});

test('an owner’s own address is left to its machine', async () => {
  await using pair = await Pair.create();
  const owner: RouterSpec = {
    ...fast,
    priority: 255,
    state: 'MASTER',
    addresses: ['10.1.0.2/24 dev eth0', vip],
  };
  const director = await Director.start(pair.a, directorText([owner]));
  await director.waitForState('VI_1', 'MASTER');
  await waitFor('the other address', () => hasAddress(pair.a, vip));
  await director.kill();
  await waitFor('the guardian', async () => !(await hasAddress(pair.a, vip)));
  expect(await hasAddress(pair.a, '10.1.0.2')).toBe(true);
  const again = await Director.start(pair.a, directorText([owner]));
  await again.waitForState('VI_1', 'MASTER');
  expect((await again.stop()).code).toBe(0);
  expect(await hasAddress(pair.a, '10.1.0.2')).toBe(true);
});

test('SIGKILL: the guardian removes addresses and routes at once and says priority 0', async () => {
  await using pair = await Pair.create();
  const router = { ...everything, version: 2 as const, interval_s: 1, state: 'MASTER' as const };
  const director = await Director.start(pair.a, directorText([router]));
  await director.waitForState('VI_1', 'MASTER');
  await waitFor('all addresses', () => hasAll(pair.a, owned));
  const at = performance.now();
  await director.kill();
  await waitFor('no address', () => hasNone(pair.a, owned), { interval_ms: 5 });
  // Long before anybody's advert interval has passed.
  expect(performance.now() - at).toBeLessThan(1000);
  expect(await pair.a.ip('route show 10.77.0.0/24')).toBe('');
  await waitFor('priority 0', async () => (await pair.adverts.adverts()).at(-1)?.priority === 0);
  await waitFor('the guardian to end', async () => !(await processes(pair.a)).includes('uvs-guardian'));
});

test('a backup says nothing from the virtual MAC that its master has: switches would believe it', async () => {
  await using pair = await Pair.create();
  const text = (priority: number) =>
    directorText([
      { ...fast, name: 'V4', priority, addresses: [`${vip}/32`], lines: ['use_vmac'] },
      { ...fast, name: 'V6', priority, addresses: [`${vip6}/128`], lines: ['use_vmac'] },
    ]);
  const names = ['V4', 'V6'];
  const master = await Director.start(pair.a, text(150));
  for (const name of names) await master.waitForState(name, 'MASTER');
  const said = await Capture.start(
    pair.b,
    'eth0',
    '(ether src 00:00:5e:00:01:33 or ether src 00:00:5e:00:02:33) and outbound',
  );
  const backup = await Director.start(pair.b, text(100));
  for (const name of names) {
    await backup.waitForState(name, 'BACKUP');
    // The kernel repeats reports of group memberships, if there are any, within a second or two.
    const heard = async () => (await backup.router(name)).counters.received;
    const before = await heard();
    await waitFor('adverts', async () => (await heard()) > before + 20);
  }
  expect(await said.lines()).toEqual([]);
  // It has the MAC, and speaks with it, from the takeover on.
  await master.kill();
  for (const name of names) await backup.waitForState(name, 'MASTER');
  expect((await said.lines()).length).toBeGreaterThan(0);
});

test('a virtual MAC: adverts, ARP and service come from it, in both families, and it survives a takeover', async () => {
  await using pair = await Pair.create();
  const text = (priority: number) =>
    directorText([
      { ...fast, name: 'V4', priority, addresses: [`${vip}/32`], lines: ['use_vmac'] },
      { ...fast, name: 'V6', priority, addresses: [`${vip6}/128`], lines: ['use_vmac'] },
    ]);
  const a = await Director.start(pair.a, text(150));
  const b = await Director.start(pair.b, text(100));
  const macs: Readonly<Record<string, string>> = { [vip]: '00:00:5e:00:01:33', [vip6]: '00:00:5e:00:02:33' };
  for (const name of ['V4', 'V6']) {
    await a.waitForState(name, 'MASTER');
    await b.waitForState(name, 'BACKUP');
  }
  for (const [address, mac] of Object.entries(macs)) {
    const outage = await pair.outageDuring(async () => {}, address);
    expect(outage.names).toEqual(['server-a', 'server-b']);
    expect(await pair.client.ip(`neigh show ${address}`)).toContain(mac);
  }
  const outage = await pair.outageDuring(async () => {
    await a.stop();
    for (const name of ['V4', 'V6']) await b.waitForState(name, 'MASTER');
  });
  expect(outage.gapMicros, JSON.stringify(outage)).toBeLessThan(400_000);
  for (const [address, mac] of Object.entries(macs)) {
    expect((await pair.outageDuring(async () => {}, address)).names).toEqual(['server-a', 'server-b']);
    expect(await pair.client.ip(`neigh show ${address}`)).toContain(mac);
  }
  expect((await b.stop()).code).toBe(0);
  for (const host of [pair.a, pair.b]) {
    expect((await host.devices()).filter((device) => device.startsWith('vrrp'))).toEqual([]);
  }
});

async function hasAll(host: Host, addresses: readonly string[]): Promise<boolean> {
  return (await Promise.all(addresses.map((address) => hasAddress(host, address)))).every(Boolean);
}

async function hasNone(host: Host, addresses: readonly string[]): Promise<boolean> {
  return !(await Promise.all(addresses.map((address) => hasAddress(host, address)))).some(Boolean);
}

/** Command lines of everything that runs in the host's namespace. */
async function processes(host: Host): Promise<string> {
  return await host.exec([
    'sh',
    '-c',
    `for pid in $(ip netns pids ${host.ns}); do tr '\\0' ' ' </proc/$pid/cmdline; echo; done`,
  ]);
}
