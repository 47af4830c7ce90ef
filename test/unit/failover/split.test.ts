// Two masters at once: how it is seen, said, counted and healed; and an address that somebody else answers for.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryNetwork } from '../../../src/dataplane/memory-network.js';
import type { IpAddress } from '../../../src/model/address.js';
import { micros, seconds } from '../../../src/model/units.js';
import { defaultAnnouncePolicy } from '../../../src/model/virtual-router.js';
import { readHolder } from '../../../src/vrrp/frames.js';
import { type FailoverDirector, FailoverLab, routerWith } from '../../support/failover-director.js';
import { vip as prefix } from '../vrrp/fixtures.js';

let lab: FailoverLab;
beforeEach(() => {
  lab = new FailoverLab();
});
afterEach(() => lab.close());

const vip = '10.0.0.100';

async function splitPair(): Promise<{ a: FailoverDirector; b: FailoverDirector }> {
  const a = await lab.start('a', 1, { routers: [routerWith({ priority: 150 })] });
  const b = await lab.start('b', 2, { routers: [routerWith({ priority: 100 })] });
  await lab.wait(6);
  lab.wire.cut(a.network, b.network);
  lab.wire.cut(b.network, a.network);
  await lab.wait(5);
  expect(lab.holdersOf(vip)).toEqual(['a', 'b']);
  return { a, b };
}

const codes = (director: FailoverDirector) =>
  director.events.flatMap((event) => (event.kind === 'virtual-router-report' ? [event.code] : []));

/** Whom neighbours believe in: the sender of the last announcement. */
const believed = (): string | undefined => {
  const frames = lab.wire.frames
    .map(({ frame }) => readHolder(frame))
    .filter((holder) => holder?.address === vip);
  const mac = frames.at(-1)?.mac;
  return lab.directors.find(({ network }) => network.links().some((link) => link.mac === mac))?.name;
};

test('after a split one master is left within an interval, and neighbours hear of the winner last', async () => {
  const { a, b } = await splitPair();
  lab.wire.heal();
  await lab.wait(1.1);
  expect(lab.holdersOf(vip)).toEqual(['a']);
  expect(b.view().master).toMatchObject({ address: '10.0.0.1' });
  expect([a.standby(), b.standby()]).toEqual([[], [vip]]);
  await lab.wait(30);
  expect(believed()).toBe('a');
});

test('a one-way split: the master that is not heard says loudly that it is not alone, once for many adverts', async () => {
  const a = await lab.start('a', 1, { routers: [routerWith({ priority: 150 })] });
  const b = await lab.start('b', 2, { routers: [routerWith({ priority: 100 })] });
  await lab.wait(6);
  lab.wire.cut(a.network, b.network);
  await lab.wait(10);
  expect(lab.holdersOf(vip)).toEqual(['a', 'b']);
  expect(codes(a).filter((code) => code === 'second-master')).toEqual(['second-master']);
  expect(a.view().why).toContain('10.0.0.2 is master too');
  expect(a.notified).toContain('VI_1 MASTER_RX_LOWER_PRI 150');
  expect(a.view().counters.reports['second-master']).toBe(1);
  expect(b.view().counters.reports['second-master']).toBeUndefined();
  lab.wire.heal();
  await lab.wait(5);
  expect(lab.holdersOf(vip)).toEqual(['a']);
  expect(codes(a)).toContain('second-master-gone');
  expect(believed()).toBe('a');
});

test('adverts that are refused are told of, though they say it again and again', async () => {
  const secret = { kind: 'simple', password: 'secret' } as const;
  const a = await lab.start('a', 1, { routers: [routerWith({ priority: 150, authentication: secret })] });
  const b = await lab.start('b', 2, { routers: [routerWith({ priority: 100 })] });
  await lab.wait(40);
  expect(lab.holdersOf(vip)).toEqual(['a', 'b']);
  expect(codes(b)[0]).toBe('not-understood');
  expect(codes(a)).toContain('second-master');
  expect(b.view().counters.rejected['authentication-type']).toBeGreaterThan(30);
  expect(b.view().counters.received).toBe(0);
});

describe('an address that somebody else answers for', () => {
  const other = '02:00:00:00:99:99';

  test('an answer from a MAC that is not ours is a conflict; one of ours is none', async () => {
    const a = await lab.start('a', 1, { routers: [routerWith()] });
    await lab.wait(3.6);
    lab.take();
    await lab.wait(0.1);
    expect(lab.take()).toContain('a: probe');
    const own = a.network.links()[0]?.mac ?? '';
    a.network.emit({ kind: 'frame', device: 'eth0', frame: arpReply(own, vip) });
    await lab.wait(0);
    expect(codes(a)).toEqual([]);
    a.network.emit({ kind: 'frame', device: 'eth0', frame: arpReply(other, vip) });
    await lab.wait(0);
    expect(codes(a)).toEqual(['address-conflict']);
    expect(a.logged.some((line) => line.startsWith(`${vip} is also at ${other}`))).toBe(true);
    // The same holder again, of the same question: said before.
    a.network.emit({ kind: 'frame', device: 'eth0', frame: arpReply(other, vip) });
    expect(a.view().counters.reports['address-conflict']).toBe(1);
    // It has just taken over, and announced the addresses: that was its word.
    await lab.wait(29);
    expect(lab.take()).not.toContain('a: announce');
    // Nobody answers any more.
    await lab.wait(2);
    expect(codes(a)).toEqual(['address-conflict', 'address-conflict-gone']);
    expect(lab.take().filter((entry) => entry === 'a: announce')).toHaveLength(5);
  });

  test('nobody listens any more when the window has passed', async () => {
    const a = await lab.start('a', 1, { routers: [routerWith()] });
    await lab.wait(6);
    a.network.emit({ kind: 'frame', device: 'eth0', frame: arpReply(other, vip) });
    await lab.wait(0);
    expect(codes(a)).toEqual([]);
  });

  test.each([
    ['IPv4', vip],
    ['IPv6', 'fd00::100'],
  ])('%s: a silent holder is found by the probe of a takeover', async (_, text) => {
    const address = text as IpAddress;
    const { clock, wire } = lab;
    const links = [{ name: 'eth0', mac: other, addresses: [{ address, length: 64 }] }];
    const stranger = new MemoryNetwork({ clock, wire, links });
    await stranger.start(() => {});
    const [first] = routerWith().addresses;
    const addresses = first === undefined ? [] : [{ ...first, address }];
    const a = await lab.start('a', 1, {
      routers: [routerWith({ excludedAddresses: addresses, addresses: [] })],
    });
    await lab.wait(4);
    expect(a.state()).toBe('master');
    expect(codes(a)).toEqual(['address-conflict']);
    expect(a.logged.some((line) => line.startsWith(`${address} is also at ${other}`))).toBe(true);
  });
});

function arpReply(mac: string, address: string): Uint8Array {
  const bytes = mac.split(':').map((part) => Number.parseInt(part, 16));
  const ip = address.split('.').map(Number);
  return Uint8Array.from([
    ...Array(6).fill(255),
    ...bytes,
    ...[0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2],
    ...bytes,
    ...ip,
    ...Array(6).fill(0),
    ...ip,
  ]);
}

test('garp_interval: announcements keep their distance, and end with mastership', async () => {
  const announce = { ...defaultAnnouncePolicy, refresh: micros(0) };
  const pacing = { arp: micros(100_000), na: micros(0), groups: [] };
  const a = await lab.start('a', 1, { routers: [routerWith({ announce })], pacing });
  await lab.wait(3.61);
  const sent = () =>
    lab.wire.frames.filter(({ frame }) => readHolder(frame)?.address === vip).map(({ at }) => at);
  expect(sent()).toHaveLength(1);
  await lab.wait(0.2);
  const times = sent();
  expect(times.map((at) => at - (times[0] ?? 0))).toEqual([0, 100_000, 200_000]);
  a.network.setLink({ name: 'eth0', isUp: false });
  await lab.wait(1);
  expect(sent()).toHaveLength(3);
});

test('an announcement that can not be sent is said again later', async () => {
  const addresses = routerWith().addresses.map((entry) => ({ ...entry, device: 'eth1' }));
  const a = lab.create('a', 1, { routers: [routerWith({ addresses })] });
  a.network.setLink({ name: 'eth1', isUp: false });
  await a.director.start();
  await lab.wait(4);
  expect(a.state()).toBe('master');
  expect(a.view().counters).toMatchObject({ announced: 0, announceFailures: 1 });
  expect(codes(a)).toContain('announcement-missed');
  a.network.setLink({ name: 'eth1', isUp: true });
  await lab.wait(6);
  expect(a.view().counters.announced).toBeGreaterThan(0);
});

test('what is missed on one device is said again there alone', async () => {
  const policy = { ...defaultAnnouncePolicy, refresh: micros(0) };
  const addresses = [...routerWith().addresses, { ...prefix('10.0.1.100/24'), device: 'eth1' }];
  const a = lab.create('a', 1, { routers: [routerWith({ announce: policy, addresses })] });
  a.network.setLink({ name: 'eth1', isUp: false });
  await a.director.start();
  await lab.wait(10);
  const count = () => lab.wire.frames.filter(({ frame }) => readHolder(frame)?.address === vip).length;
  const before = count();
  await lab.wait(60);
  expect(count()).toBe(before);
  a.network.setLink({ name: 'eth1', isUp: true });
  await lab.wait(6);
  expect(count()).toBe(before);
  expect(lab.wire.frames.some(({ frame }) => readHolder(frame)?.address === '10.0.1.100')).toBe(true);
});

test.each([
  ['all', ['10.0.1.100', '10.0.1.100', '10.0.1.100']],
  ['virtual-mac', []],
] as const)(
  'garp_extra_if, %s: one address of each device that no advert leaves by',
  async (extraDevices, said) => {
    const times = { delay: micros(0), refresh: micros(0), extra: seconds(30) };
    const announce = { ...defaultAnnouncePolicy, ...times, extraDevices };
    const far = (address: string) => ({ ...prefix(`${address}/24`), device: 'eth1' });
    const addresses = [...routerWith().addresses, far('10.0.1.100'), far('10.0.1.101')];
    const a = lab.create('a', 1, { routers: [routerWith({ announce, addresses })] });
    a.network.setLink({ name: 'eth1', isUp: true });
    await a.director.start();
    await lab.wait(4);
    const before = lab.wire.frames.length;
    await lab.wait(90);
    expect(lab.wire.frames.slice(before).map(({ frame }) => readHolder(frame)?.address)).toEqual(said);
  },
);
