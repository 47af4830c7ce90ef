// What tests of failover lean on in the memory network beside the port's contract: death, cuts, links that change, and
// lease and repeater to the microsecond on a clock turned by hand.

import { expect, test } from 'vitest';
import { MemoryNetwork } from '../../../src/dataplane/memory-network.js';
import { MemoryWire } from '../../../src/dataplane/memory-wire.js';
import type { NetworkEvent } from '../../../src/dataplane/network.js';
import type { IpAddress } from '../../../src/model/address.js';
import { micros, seconds } from '../../../src/model/units.js';
import { ManualClock } from '../../support/manual-clock.js';

const group = '224.0.0.18' as IpAddress;
const vip = { address: '198.18.0.100' as IpAddress, prefixLength: 24, device: 'eth0' } as const;
const hostAddress = { ...vip, label: undefined, scope: 'global', broadcast: undefined } as const;
const say = (...bytes: number[]) => [{ destination: group, bytes: Uint8Array.from(bytes) }];
const will = { goodbye: say(0), addresses: [hostAddress], routes: [] };

async function directorOn(wire: MemoryWire, clock: ManualClock, host: number) {
  const source = `198.18.0.${host}` as IpAddress;
  const links = [{ name: 'eth0', addresses: [{ address: source, length: 24 }] }];
  const network = new MemoryNetwork({ clock, wire, links });
  const events: NetworkEvent[] = [];
  await network.start((event) => events.push(event));
  network.listenForAdverts({ device: 'eth0', family: 4, groups: [group] });
  network.open({ router: 'VI_1', device: 'eth0', source, ttl: 255 });
  const heard = () => events.flatMap((event) => (event.kind === 'advert' ? [event.message[0]] : []));
  return { network, events, heard };
}

async function twoDirectors() {
  const clock = new ManualClock();
  const wire = new MemoryWire(clock);
  const a = await directorOn(wire, clock, 1);
  const b = await directorOn(wire, clock, 2);
  return { clock, wire, a, b };
}

test('a killed director says priority 0 and gives its addresses up, once, and is silent after that', async () => {
  const { clock, a, b } = await twoDirectors();
  await a.network.addAddress(hostAddress);
  a.network.advertise('VI_1', say(7), { interval: seconds(1), lease: seconds(4) });
  await a.network.entrust('VI_1', will);
  a.network.die();
  a.network.die();
  expect(a.network.addresses).toEqual([]);
  await clock.advance(seconds(10));
  expect(b.heard()).toEqual([7, 0]);
  expect(a.network.advertise('VI_1', say(7), undefined)).toBeDefined();
});

test('the repeater speaks an interval and its grace after the call, then every interval, and never after the lease', async () => {
  const { clock, wire, a } = await twoDirectors();
  const start = clock.now();
  a.network.advertise('VI_1', say(7), { interval: seconds(1), lease: seconds(3.05) });
  await clock.advance(seconds(10));
  expect(wire.adverts.map(({ at, by }) => [at - start, by])).toEqual([
    [0, 'director'],
    [1_050_000, 'repeater'],
    [2_050_000, 'repeater'],
  ]);
  expect(a.events).toContainEqual({ kind: 'lease-expired', router: 'VI_1' });
});

test('a caller who is on time is never doubled', async () => {
  const { clock, wire, a } = await twoDirectors();
  for (let turn = 0; turn < 20; turn++) {
    a.network.advertise('VI_1', say(7), { interval: micros(10_000), lease: seconds(3) });
    await clock.advance(micros(10_000));
  }
  expect(wire.adverts.every(({ by }) => by === 'director')).toBe(true);
});

test('a cut takes one direction', async () => {
  const { clock, wire, a, b } = await twoDirectors();
  wire.cut(a.network, b.network);
  a.network.advertise('VI_1', say(1), undefined);
  b.network.advertise('VI_1', say(2), undefined);
  await clock.settle();
  expect([a.heard(), b.heard()]).toEqual([[2], []]);
  wire.heal();
  a.network.advertise('VI_1', say(3), undefined);
  await clock.settle();
  expect(b.heard()).toEqual([3]);
});

test('changes of one turn are one event, and a virtual MAC follows its parent', async () => {
  const { clock, a } = await twoDirectors();
  await a.network.addVirtualMac('vrrp.51', 'eth0', '00:00:5e:00:01:33');
  await clock.settle();
  a.events.length = 0;
  a.network.setLink({ name: 'eth0', isUp: false });
  a.network.setLink({ name: 'eth0', mtu: 9000 });
  await clock.settle();
  expect(a.events).toEqual([{ kind: 'links-changed' }]);
  expect(a.network.links().map(({ name, isUp }) => [name, isUp])).toEqual([
    ['eth0', false],
    ['vrrp.51', false],
  ]);
  a.network.removeLink('eth0');
  expect(a.network.links()).toEqual([]);
});
