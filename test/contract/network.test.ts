// The port's promises about adverts, leases, last wills, probes and addresses, kept by every network. Two networks at
// the ends of one wire: `near` is the director, `far` the rest of the world.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { MemoryNetwork } from '../../src/dataplane/memory-network.js';
import { answeredAddress, MemoryWire } from '../../src/dataplane/memory-wire.js';
import { createNativeNetwork } from '../../src/dataplane/native-network.js';
import type { AdvertEgress, AdvertMessage, Network, NetworkEvent } from '../../src/dataplane/network.js';
import type { HostAddress } from '../../src/dataplane/port.js';
import type { IpAddress, Prefix } from '../../src/model/address.js';
import { micros, seconds } from '../../src/model/units.js';
import type { VirtualRoute } from '../../src/model/virtual-router.js';
import { systemClock } from '../../src/runtime/clock.js';
import { addressAnswer, addressQuestion } from '../support/address-question.js';

type End = {
  readonly network: Network;
  readonly device: string;
  readonly addresses: readonly [Prefix, Prefix];
  readonly events: NetworkEvent[];
};
type Bench = {
  readonly near: End;
  readonly far: End;
  setUp(device: string, isUp: boolean): Promise<void>;
  close(): Promise<void>;
};

const ip = (text: string) => text as IpAddress;

const numberOf = (frame: Uint8Array) => ((frame[10] ?? 0) << 8) | (frame[11] ?? 0);

const nearAddresses: readonly [Prefix, Prefix] = [
  { address: ip('198.18.0.1'), length: 24 },
  { address: ip('fd00:18::1'), length: 64 },
];
const farAddresses: readonly [Prefix, Prefix] = [
  { address: ip('198.18.0.2'), length: 24 },
  { address: ip('fd00:18::2'), length: 64 },
];

async function memoryBench(): Promise<Bench> {
  const wire = new MemoryWire(systemClock);
  const end = async (device: string, addresses: readonly [Prefix, Prefix]) => {
    const links = [{ name: device, segment: 'lan', addresses }];
    const network = new MemoryNetwork({ clock: systemClock, wire, links });
    const events: NetworkEvent[] = [];
    await network.start((event) => events.push(event));
    return { network, device, addresses, events };
  };
  const near = await end('near', nearAddresses);
  const far = await end('far', farAddresses);
  return {
    near,
    far,
    setUp: async (device, isUp) => {
      for (const { network } of [near, far]) {
        if (network.links().some(({ name }) => name === device)) network.setLink({ name: device, isUp });
      }
    },
    close: async () => {
      await near.network.stop();
      await far.network.stop();
    },
  };
}

/** Both ends are devices of this namespace: test/lab/network-contract.test.ts makes one, and runs this file in it. */
async function nativeBench(): Promise<Bench> {
  const end = async (device: string, addresses: readonly [Prefix, Prefix]) => {
    const network = createNativeNetwork();
    const events: NetworkEvent[] = [];
    await network.start((event) => events.push(event));
    return { network, device, addresses, events };
  };
  const near = await end('uvs-near', nearAddresses);
  const far = await end('uvs-far', farAddresses);
  return {
    near,
    far,
    setUp: async (device, isUp) => {
      await promisify(execFile)('ip', ['link', 'set', device, isUp ? 'up' : 'down']);
    },
    close: async () => {
      await near.network.stop();
      await far.network.stop();
      await promisify(execFile)('sh', ['-c', process.env.UVS_CONTRACT_RESET ?? 'true']);
    },
  };
}

const implementations: readonly { readonly name: string; readonly open: () => Promise<Bench> }[] = [
  { name: 'memory', open: memoryBench },
  ...(process.env.UVS_CONTRACT_NATIVE === '1' ? [{ name: 'native', open: nativeBench }] : []),
];

const families = [
  { family: 4, at: 0, group: ip('224.0.0.18'), other: ip('224.0.0.19') },
  { family: 6, at: 1, group: ip('ff02::12'), other: ip('ff02::13') },
] as const;
const vip: HostAddress = {
  address: ip('198.18.0.100'),
  prefixLength: 32,
  device: '',
  label: undefined,
  scope: 'global',
  broadcast: undefined,
};
const lease = micros(250_000);
const interval = micros(20_000);
const message = (destination: IpAddress, ...bytes: number[]): AdvertMessage => ({
  destination,
  bytes: Uint8Array.from([0x31, 51, ...bytes]),
});

/** Machines are slow at times; what is waited for comes, or never does. */
const eventually = (check: () => void) => vi.waitFor(check, { timeout: 20_000, interval: 5 });

describe.each(implementations)('$name', ({ name, open }) => {
  const benches: Bench[] = [];
  const opened = async (): Promise<Bench> => {
    const bench = await open();
    benches.push(bench);
    return bench;
  };
  afterEach(async () => {
    for (const bench of benches.splice(0)) await bench.close();
  });

  const voiceOf = (end: End, at: 0 | 1, router = 'VI_1'): AdvertEgress => ({
    router,
    device: end.device,
    source: end.addresses[at].address,
    ttl: 255,
  });
  const advertsAt = (end: End) => end.events.filter((event) => event.kind === 'advert');
  /** Last bytes of the adverts that were heard. */
  const heardAt = (end: End) => advertsAt(end).map((event) => event.message.at(-1));
  const isReported = (end: End, kind: NetworkEvent['kind']) =>
    end.events.some((event) => event.kind === kind);
  const addressesAt = (end: End) =>
    end.network
      .links()
      .find(({ name }) => name === end.device)
      ?.addresses.map(({ address }) => address) ?? [];
  /** A second virtual router speaks until the far end has heard it often enough that the first would have spoken, too. */
  const waitForIntervals = async ({ near, far }: Bench, count: number) => {
    near.network.open(voiceOf(near, 0, 'clock'));
    const ticks = () => heardAt(far).filter((byte) => byte === 99).length;
    const before = ticks();
    near.network.advertise('clock', [message(ip('224.0.0.18'), 99)], { interval, lease: seconds(10) });
    await eventually(() => expect(ticks()).toBeGreaterThan(before + count));
    near.network.close('clock');
  };

  test('a link is told with its MAC, its state and its addresses', async () => {
    const { near } = await opened();
    const link = near.network.links().find(({ name }) => name === near.device);
    expect(link).toMatchObject({ isUp: true, mtu: 1500 });
    expect(link?.mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    expect(link?.ifindex).toBeGreaterThan(0);
    expect(link?.addresses).toEqual(expect.arrayContaining([...near.addresses]));
  });

  test.each(families)('IPv$family: a multicast advert is heard with TTL and both addresses', async (row) => {
    const { near, far } = await opened();
    far.network.listenForAdverts({ device: far.device, family: row.family, groups: [row.group] });
    near.network.open({ ...voiceOf(near, row.at), ttl: 254 });
    expect(near.network.advertise('VI_1', [message(row.group, 1)], undefined)).toBeUndefined();
    await eventually(() => expect(advertsAt(far)).toHaveLength(1));
    expect(advertsAt(far)[0]).toEqual({
      kind: 'advert',
      device: far.device,
      message: Uint8Array.from([0x31, 51, 1]),
      source: near.addresses[row.at].address,
      destination: row.group,
      ttl: 254,
    });
  });

  test.each(families)('IPv$family: a unicast advert is heard without a group', async (row) => {
    const { near, far } = await opened();
    far.network.listenForAdverts({ device: far.device, family: row.family, groups: [] });
    near.network.open(voiceOf(near, row.at));
    const destination = far.addresses[row.at].address;
    near.network.advertise('VI_1', [message(destination, 1)], undefined);
    await eventually(() => expect(advertsAt(far)).toMatchObject([{ destination, ttl: 255 }]));
  });

  test.each(families)('IPv$family: only groups that were joined last are heard', async (row) => {
    const { near, far } = await opened();
    near.network.open(voiceOf(near, row.at));
    far.network.listenForAdverts({ device: far.device, family: row.family, groups: [row.group] });
    near.network.advertise('VI_1', [message(row.other, 1), message(row.group, 2)], undefined);
    await eventually(() => expect(heardAt(far)).toEqual([2]));
    far.network.listenForAdverts({ device: far.device, family: row.family, groups: [row.other] });
    near.network.advertise('VI_1', [message(row.group, 3), message(row.other, 4)], undefined);
    await eventually(() => expect(heardAt(far)).toEqual([2, 4]));
    far.network.stopListeningForAdverts(far.device, row.family);
    far.network.stopListeningForAdverts(far.device, row.family);
    near.network.advertise('VI_1', [message(row.other, 5)], undefined);
    far.network.listenForAdverts({ device: far.device, family: row.family, groups: [row.other] });
    near.network.advertise('VI_1', [message(row.other, 6)], undefined);
    await eventually(() => expect(heardAt(far).at(-1)).toBe(6));
  });

  test('nobody hears its own adverts', async () => {
    const bench = await opened();
    const { near, far } = bench;
    for (const end of [near, far])
      end.network.listenForAdverts({ device: end.device, family: 4, groups: [ip('224.0.0.18')] });
    await waitForIntervals(bench, 3);
    expect(advertsAt(near)).toEqual([]);
  });

  test('a device or a source that is not there is refused', async () => {
    const { near } = await opened();
    const { network } = near;
    const missing = { device: 'nodev0' };
    const deviceMissing = expect.objectContaining({ code: 'DEVICE_MISSING' });
    expect(() => network.listenForAdverts({ ...missing, family: 4, groups: [] })).toThrow(deviceMissing);
    expect(() => network.open({ ...voiceOf(near, 0), ...missing })).toThrow(deviceMissing);
    const stranger = { ...voiceOf(near, 0), source: ip('203.0.113.1') };
    expect(() => network.open(stranger)).toThrow(expect.objectContaining({ code: 'IO' }));
    expect(network.advertise('VI_1', [message(ip('224.0.0.18'), 1)], undefined)).toMatch(/VI_1/);
    await expect(network.addAddress({ ...vip, ...missing })).rejects.toMatchObject({
      code: 'DEVICE_MISSING',
    });
  });

  test('the repeater goes on until the lease has run out, and says so', async () => {
    const bench = await opened();
    const { near, far } = bench;
    far.network.listenForAdverts({ device: far.device, family: 4, groups: [ip('224.0.0.18')] });
    near.network.open(voiceOf(near, 0));
    near.network.advertise('VI_1', [message(ip('224.0.0.18'), 7)], { interval, lease });
    await eventually(() => expect(near.events).toContainEqual({ kind: 'lease-expired', router: 'VI_1' }));
    const count = heardAt(far).filter((byte) => byte === 7).length;
    expect(count).toBeGreaterThan(3);
    expect(count).toBeLessThanOrEqual(lease / interval + 1);
    await waitForIntervals(bench, 3);
    expect(heardAt(far).filter((byte) => byte === 7)).toHaveLength(count);
    expect(near.events.filter(({ kind }) => kind === 'lease-expired')).toHaveLength(1);
    expect(
      near.network.advertise('VI_1', [message(ip('224.0.0.18'), 8)], { interval, lease }),
    ).toBeUndefined();
    await eventually(() => expect(heardAt(far)).toContain(8));
  });

  test('without repetition, and after close, a router is silent', async () => {
    const bench = await opened();
    const { near, far } = bench;
    far.network.listenForAdverts({ device: far.device, family: 4, groups: [ip('224.0.0.18')] });
    for (const end of ['advertise', 'close'] as const) {
      near.network.open(voiceOf(near, 0));
      near.network.advertise('VI_1', [message(ip('224.0.0.18'), 7)], { interval, lease: seconds(10) });
      if (end === 'advertise') near.network.advertise('VI_1', [message(ip('224.0.0.18'), 0)], undefined);
      else near.network.close('VI_1');
      await waitForIntervals(bench, 3);
    }
    expect(heardAt(far).filter((byte) => byte !== 99)).toEqual([7, 0, 7]);
    expect(isReported(near, 'lease-expired')).toBe(false);
  });

  test('a will is carried out when the lease runs out: priority 0, then the addresses', async () => {
    const { near, far } = await opened();
    const { network } = near;
    far.network.listenForAdverts({ device: far.device, family: 4, groups: [ip('224.0.0.18')] });
    const address = { ...vip, device: near.device };
    await network.addAddress(address);
    network.open(voiceOf(near, 0));
    network.advertise('VI_1', [message(ip('224.0.0.18'), 7)], { interval, lease });
    const replaced = { goodbye: [message(ip('224.0.0.18'), 1)], addresses: [], routes: [] };
    await network.entrust('VI_1', replaced);
    await network.entrust('VI_1', {
      ...replaced,
      goodbye: [message(ip('224.0.0.18'), 0)],
      addresses: [address],
    });
    await eventually(() => expect(addressesAt(near)).not.toContain(vip.address));
    await eventually(() => expect(heardAt(far)).toContain(0));
    await eventually(() => expect(isReported(near, 'lease-expired')).toBe(true));
    expect(heardAt(far)).not.toContain(1);
  });

  test('a call that comes in time renews the lease, with or without repetition', async () => {
    const bench = await opened();
    const { near, far } = bench;
    const { network } = near;
    far.network.listenForAdverts({ device: far.device, family: 4, groups: [ip('224.0.0.18')] });
    const address = { ...vip, device: near.device };
    await network.addAddress(address);
    network.open(voiceOf(near, 0));
    network.advertise('VI_1', [message(ip('224.0.0.18'), 7)], { interval, lease: seconds(1) });
    await network.entrust('VI_1', { goodbye: [], addresses: [address], routes: [] });
    const end = systemClock.now() + seconds(1.3);
    while (systemClock.now() < end) {
      await waitForIntervals(bench, 2);
      network.advertise('VI_1', [message(ip('224.0.0.18'), 0)], undefined);
    }
    expect(addressesAt(near)).toContain(vip.address);
    await eventually(() => expect(addressesAt(near)).not.toContain(vip.address));
  });

  test.each(['revoke', 'close', 'stop'] as const)('nothing of a will is done after %s', async (how) => {
    const { near, far } = await opened();
    const { network } = near;
    far.network.listenForAdverts({ device: far.device, family: 4, groups: [ip('224.0.0.18')] });
    const address = { ...vip, device: near.device };
    await network.addAddress(address);
    network.open(voiceOf(near, 0));
    network.advertise('VI_1', [message(ip('224.0.0.18'), 7)], { interval, lease });
    const goodbye = [message(ip('224.0.0.18'), 0)];
    await network.entrust('VI_1', { goodbye, addresses: [address], routes: [] });
    await network[how]('VI_1');
    // Another lease of the same length that begins after it ends after it.
    far.network.open(voiceOf(far, 0, 'later'));
    far.network.advertise('later', [], { interval, lease });
    await eventually(() => expect(isReported(far, 'lease-expired')).toBe(true));
    expect(heardAt(far)).not.toContain(0);
    expect(addressesAt(near)).toContain(vip.address);
  });

  test('an address is there after it was added, also twice, and gone after it was removed, also twice', async () => {
    const { near } = await opened();
    for (const address of [{ ...vip }, { ...vip, address: ip('fd00:18::100'), prefixLength: 128 }]) {
      const placed = { ...address, device: near.device };
      near.events.length = 0;
      await near.network.addAddress(placed);
      await near.network.addAddress(placed);
      expect(addressesAt(near)).toContain(placed.address);
      await eventually(() => expect(isReported(near, 'links-changed')).toBe(true));
      await near.network.removeAddress(placed);
      await near.network.removeAddress(placed);
      expect(addressesAt(near)).not.toContain(placed.address);
    }
  });

  test('removed is the address of the device that is named, and no other with the same one', async () => {
    const { near, far } = await opened();
    for (const address of ['198.18.0.100', 'fd00:18::100']) {
      const placed = { ...vip, address: ip(address), device: near.device };
      const elsewhere = { ...placed, device: far.device };
      await near.network.addAddress(placed);
      await far.network.addAddress(elsewhere);
      await near.network.removeAddress({ ...placed, device: 'nodev0' });
      expect(addressesAt(near)).toContain(address);
      await near.network.removeAddress(placed);
      await near.network.removeAddress(placed);
      expect(addressesAt(far)).toContain(address);
    }
  });

  test('a route is ok when it is there already, and when it is gone already', async () => {
    const { near } = await opened();
    const route: VirtualRoute = {
      destination: { address: ip('203.0.113.0'), length: 24 },
      gateway: ip('198.18.0.2'),
      device: near.device,
      source: undefined,
      metric: undefined,
      table: undefined,
      kind: 'unicast',
      scope: undefined,
      isOnLink: false,
    };
    await near.network.addRoute(route);
    await near.network.addRoute(route);
    await near.network.removeRoute(route);
    await near.network.removeRoute(route);
    const missing = near.network.addRoute({ ...route, device: 'nodev0', gateway: undefined });
    await expect(missing).rejects.toMatchObject({ code: 'DEVICE_MISSING' });
  });

  test('a virtual MAC is a device with that MAC; one that is not ours stays', async () => {
    const { near } = await opened();
    const mac = '00:00:5e:00:01:33';
    await near.network.addVirtualMac('vrrp.51', near.device, mac);
    await near.network.addVirtualMac('vrrp.51', near.device, mac);
    const named = (name: string) => near.network.links().find((link) => link.name === name);
    await eventually(() => expect(named('vrrp.51')).toMatchObject({ mac, isUp: true }));
    await near.network.removeVirtualMac('vrrp.51');
    await near.network.removeVirtualMac('vrrp.51');
    expect(named('vrrp.51')).toBeUndefined();
    const address = { ...vip, device: 'vrrp.52' };
    const parent = near.device;
    await near.network.addVirtualMac('vrrp.52', parent, mac);
    await near.network.addAddress(address);
    await near.network.addVirtualMac('vrrp.53', parent, mac);
    expect([named('vrrp.52'), named('vrrp.53')]).toMatchObject([
      undefined,
      { mac, parent, isSetDown: false, addresses: [{ address: vip.address }] },
    ]);
    await near.network.addVirtualMac('vrrp.53', parent, '00:00:5e:00:01:34');
    expect(named('vrrp.53')).toMatchObject({
      mac: '00:00:5e:00:01:34',
      addresses: [{ address: vip.address }],
    });
    await near.network.removeVirtualMac('vrrp.53');
    const foreign = near.network.removeVirtualMac(near.device);
    await expect(foreign).rejects.toMatchObject({ code: 'IO' });
    expect(named(near.device)).toBeDefined();
    const parentless = near.network.addVirtualMac('vrrp.51', 'nodev0', mac);
    await expect(parentless).rejects.toMatchObject({ code: 'DEVICE_MISSING' });
  });

  test.each(families)(
    'IPv$family: the holder of an address answers a probe, and only that is reported',
    async (row) => {
      const { near, far } = await opened();
      const mac = near.network.links().find(({ name }) => name === near.device)?.mac ?? '';
      const asked = far.addresses[row.at].address;
      near.network.listenForFrames({ device: near.device, addresses: [asked] });
      const probe = addressQuestion(mac, near.addresses[row.at].address, asked);
      await eventually(() => {
        expect(near.network.sendFrame(near.device, probe)).toBeUndefined();
        expect(isReported(near, 'frame')).toBe(true);
      });
      const [frame] = near.events.filter((event) => event.kind === 'frame');
      expect(frame?.device).toBe(near.device);
      expect(answeredAddress(frame?.frame ?? new Uint8Array())).toBe(asked);
      near.network.listenForFrames({ device: near.device, addresses: [ip('198.18.0.77')] });
      near.events.length = 0;
      near.network.sendFrame(near.device, probe);
      near.network.stopListeningForFrames(near.device);
      near.network.stopListeningForFrames(near.device);
    },
  );

  test('on a device that is down nothing can be said, and links say that it is', async () => {
    const { near, setUp } = await opened();
    near.network.open(voiceOf(near, 0));
    await setUp(near.device, false);
    await eventually(() => expect(isReported(near, 'links-changed')).toBe(true));
    expect(near.network.links().find(({ name }) => name === near.device)?.isUp).toBe(false);
    expect(near.network.advertise('VI_1', [message(ip('224.0.0.18'), 1)], undefined)).toMatch(
      /down|unreachable/,
    );
    expect(near.network.sendFrame(near.device, new Uint8Array(60))).toBe('Network is down');
  });

  // The twin has no event loop of its own that could hang.
  if (name === 'native') {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    const count = 3_000;
    /** The event loop hangs for some milliseconds in all; the network thread reads on. */
    const hangingFor = (send: (number: number) => void) => {
      for (let i = 1; i <= count; i++) {
        send(i);
        if (i % 50 === 0) Atomics.wait(pause, 0, 0, 2);
      }
    };
    const isAscending = (numbers: readonly number[]) =>
      numbers.every((number, i) => i === 0 || number > (numbers[i - 1] ?? 0));
    const warningAt = (end: End) => end.events.find((event) => event.kind === 'warning')?.message;

    test('of frames that nobody reads the newest are kept, and it is said how many are lost', async () => {
      const { near, far } = await opened();
      far.network.listenForFrames({ device: far.device, addresses: [ip('198.18.0.77')] });
      hangingFor((i) => near.network.sendFrame(near.device, addressAnswer(i)));
      const numbers = () =>
        far.events.flatMap((event) => (event.kind === 'frame' ? [numberOf(event.frame)] : []));
      await eventually(() => expect(numbers().at(-1)).toBe(count));
      expect(numbers().length).toBeLessThanOrEqual(1_024);
      expect(isAscending(numbers())).toBe(true);
      expect(warningAt(far)).toMatch(/^\d+ adverts and frames were dropped/);
    });

    test('of a flood of adverts a bounded number arrives, in order, and it is said how many are shed', async () => {
      const { near, far } = await opened();
      near.network.open(voiceOf(near, 0));
      far.network.listenForAdverts({ device: far.device, family: 4, groups: [ip('224.0.0.18')] });
      hangingFor((i) =>
        near.network.advertise('VI_1', [message(ip('224.0.0.18'), i >> 8, i & 255)], undefined),
      );
      await eventually(() => expect(warningAt(far)).toMatch(/^\d+ adverts were shed/));
      const numbers = advertsAt(far).map(({ message: [, , high = 0, low = 0] }) => (high << 8) | low);
      expect(numbers.length).toBeGreaterThan(0);
      expect(numbers.length).toBeLessThan(count / 2);
      expect(isAscending(numbers)).toBe(true);
    });
  }
});
