// Reloads while virtual routers run: what changes in place, what restarts make before break, what comes and what goes.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { IpAddress } from '../../../src/model/address.js';
import { diffFailover } from '../../../src/model/diff-failover.js';
import { finish } from '../../../src/model/diff-lists.js';
import { seconds } from '../../../src/model/units.js';
import { defaultAnnouncePolicy, type VirtualRouter } from '../../../src/model/virtual-router.js';
import {
  type FailoverDirector,
  FailoverLab,
  failoverOf,
  routerWith,
} from '../../support/failover-director.js';
import { vip as prefix } from '../vrrp/fixtures.js';

let lab: FailoverLab;
beforeEach(() => {
  lab = new FailoverLab();
});
afterEach(() => lab.close());

const vip = '10.0.0.100';
const other = '10.0.0.101';
const services = [vip, other];

async function master(overrides: Partial<VirtualRouter> = {}): Promise<FailoverDirector> {
  const a = await lab.start('a', 1, { routers: [routerWith(overrides)], services });
  await lab.wait(4);
  expect(a.state()).toBe('master');
  lab.take();
  return a;
}

/** Reloads while the clock runs. */
async function reload(
  a: FailoverDirector,
  routers: readonly VirtualRouter[],
  groups: string[][] = [],
): Promise<void> {
  let isOver = false;
  void a.reload({ routers, groups, services }).then(() => {
    isOver = true;
  });
  await lab.clock.settle();
  while (!isOver) await lab.wait(0.01);
}

describe('what is changed', () => {
  const planFor = (before: Partial<VirtualRouter>, after: Partial<VirtualRouter>) => {
    const [old, next] = [before, after].map((one) => failoverOf({ routers: [routerWith(one)] }));
    if (old === undefined || next === undefined) throw new Error('both');
    return finish(diffFailover(old, next)).map(({ kind }) => kind.replace('failover-', ''));
  };
  const peer = (address: string) => ({ address: address as IpAddress, minTtl: 0, maxTtl: 255 });
  const unicast = (...peers: string[]) =>
    ({ kind: 'unicast', peers: peers.map(peer), checksSource: false, ttl: 255 }) as const;

  test.each<[string, Partial<VirtualRouter>, string]>([
    ['nothing', {}, ''],
    ['priority', { priority: 101 }, 'changed'],
    ['preempt', { preempt: false }, 'changed'],
    ['tracks', { tracks: [{ kind: 'interface', name: 'eth1', weight: 0, isReversed: false }] }, 'changed'],
    ['announce', { announce: { ...defaultAnnouncePolicy, repeat: 1 } }, 'changed'],
    ['addresses', { addresses: [] }, 'changed'],
    ['interval', { advertInterval: seconds(2) }, 'changed'],
    ['authentication', { authentication: { kind: 'simple', password: 'x' } }, 'changed'],
    ['source', { source: '10.0.0.7' as IpAddress }, 'changed'],
    ['virtual_router_id', { virtualRouterId: 52 }, 'replaced'],
    ['interface', { device: 'eth1' }, 'replaced'],
    ['version', { version: 3 }, 'replaced'],
    ['family', { family: 6 }, 'replaced'],
    ['unicast', { delivery: unicast('10.0.0.2') }, 'replaced'],
    ['another group', { delivery: { kind: 'multicast', group: '224.0.0.19' as IpAddress } }, 'replaced'],
    ['use_vmac', { virtualMacDevice: 'uvs.51', virtualMac: '00:00:5e:00:01:33' }, 'changed'],
    ['a new name', { name: 'VI_9' }, 'renamed'],
    ['a new name and VRID', { name: 'VI_9', virtualRouterId: 52 }, 'removed added'],
  ])('%s: %s', (_, change, expected) => {
    expect(planFor({}, change).join(' ')).toBe(expected);
  });

  test('other unicast peers are the same virtual router', () => {
    expect(planFor({ delivery: unicast('10.0.0.2') }, { delivery: unicast('10.0.0.3') })).toEqual([
      'changed',
    ]);
  });

  test('a changed script is a change', () => {
    const before = failoverOf({ routers: [routerWith()] });
    const routers = before.routers.map((one) => ({
      ...one,
      notify: { ...one.notify, notifiesPriority: true },
    }));
    expect(finish(diffFailover(before, { ...before, routers }))[0]?.kind).toBe('failover-changed');
  });
});

test('a reload that changes nothing does nothing', async () => {
  const a = await master();
  await reload(a, [routerWith()]);
  expect(lab.take()).toEqual([]);
  expect(a.director.virtualRouters().timeline).toHaveLength(2);
});

describe('in place', () => {
  test('a new name is seen by nobody but the operator', async () => {
    const a = await master();
    await lab.start('b', 2, { routers: [routerWith({ priority: 90 })], services });
    lab.take();
    await reload(a, [routerWith({ name: 'VI_9' })]);
    await lab.wait(4);
    expect(lab.take().filter((entry) => !/advert 100 repeated|will of/.test(entry))).toEqual([]);
    const [view] = a.director.virtualRouters().virtualRouters;
    expect(view).toMatchObject({ name: 'VI_9', state: 'master', counters: { becameMaster: 1 } });
    await reload(a, []);
    await lab.wait(4);
    expect(lab.holdersOf(vip)).toEqual(['b']);
  });

  test('a lower priority stands in the next advert, and decides', async () => {
    const a = await master();
    await lab.start('b', 2, { routers: [routerWith({ priority: 90 })], services });
    await reload(a, [routerWith({ priority: 50 })]);
    expect(a.state()).toBe('master');
    expect(a.notified.at(-1)).toBe('VI_1 MASTER_PRIORITY 50');
    await lab.wait(5);
    expect(a.view()).toMatchObject({ state: 'backup', basePriority: 50, priority: 50 });
  });

  test('an address comes: table, will, address, announcement; the old one is not touched', async () => {
    const a = await master();
    await reload(a, [routerWith({ addresses: [prefix(vip), prefix(other)] })]);
    expect(lab.take()).toEqual([
      `a: will of ${vip} ${other}`,
      `a: add ${other}`,
      `a: will of ${vip} ${other}`,
      ...Array(5).fill('a: announce'),
    ]);
    expect(a.state()).toBe('master');
    await lab.wait(1);
    expect(lab.wire.adverts.at(-1)?.bytes[3]).toBe(2);
  });

  test('an address goes: it is of no virtual router any more', async () => {
    const a = await master({ addresses: [prefix(vip), prefix(other)] });
    await reload(a, [routerWith()]);
    expect(lab.take()).toEqual([`a: will of ${vip} ${other}`, `a: remove ${other}`, `a: will of ${vip}`]);
    expect(a.standby()).toEqual([]);
    expect(a.addresses()).toEqual([vip]);
  });

  test('an address with another prefix length: the new one is there before the old one goes', async () => {
    const a = await master();
    await reload(a, [routerWith({ addresses: [prefix(`${vip}/24`)] })]);
    expect(lab.take('will')).toEqual([`a: add ${vip}`, `a: remove ${vip}`]);
    expect(a.network.addresses).toMatchObject([{ address: vip, prefixLength: 24 }]);
  });

  test('another label is the same address to the kernel: it goes and comes', async () => {
    const a = await master();
    await reload(a, [routerWith({ addresses: [{ ...prefix(vip), label: 'eth0:1' }] })]);
    expect(lab.take('will')).toEqual([`a: remove ${vip}`, `a: add ${vip}`]);
  });

  test('on a backup nothing is added, and the services of a new address stand by', async () => {
    const a = await lab.start('a', 1, { routers: [routerWith()], services });
    expect(a.standby()).toEqual([vip]);
    await reload(a, [routerWith({ addresses: [prefix(vip), prefix(other)] })]);
    expect(a.standby()).toEqual([vip, other]);
    expect(a.addresses()).toEqual([]);
  });

  test('a track that fails is a fault at once', async () => {
    const a = await master();
    const tracks = [{ kind: 'interface', name: 'eth9', weight: 0, isReversed: false }] as const;
    await reload(a, [routerWith({ tracks })]);
    expect(a.view()).toMatchObject({ state: 'fault', faults: ['interface eth9 is down'] });
    await reload(a, [routerWith()]);
    expect(a.state()).toBe('backup');
  });
});

describe('coming and going', () => {
  test('a new virtual router starts as at the start, without the startup delay', async () => {
    const a = await master();
    const added = routerWith({
      name: 'VI_2',
      virtualRouterId: 52,
      addresses: [prefix(other)],
      startupDelay: seconds(30),
    });
    await reload(a, [routerWith(), added]);
    expect(a.state('VI_2')).toBe('backup');
    expect(a.standby()).toEqual([other]);
    await lab.wait(4);
    expect(a.state('VI_2')).toBe('master');
    expect(a.standby()).toEqual([]);
  });

  test('the first one opens the network; it can come by a reload', async () => {
    const a = await lab.start('a', 1, { routers: [], services });
    await reload(a, [routerWith()]);
    await lab.wait(4);
    expect(a.addresses()).toEqual([vip]);
  });

  test('a network that can’t start fails the reload, and nothing has changed', async () => {
    const a = await lab.start('a', 1, { routers: [], services });
    a.network.start = () => Promise.reject(new Error('no raw sockets'));
    await expect(a.reload({ routers: [routerWith()], services })).rejects.toThrow('no raw sockets');
    expect(a.standby()).toEqual([]);
  });

  test('a removed one gives up make before break, is told of as deleted and forgotten', async () => {
    const a = await master();
    const b = await lab.start('b', 2, { routers: [routerWith({ priority: 90 })], services });
    await lab.wait(2);
    await reload(a, []);
    expect(a.state()).toBe('releasing');
    expect(a.addresses()).toEqual([vip]);
    await lab.wait(2);
    expect(b.state()).toBe('master');
    expect(a.addresses()).toEqual([]);
    expect(a.director.virtualRouters().virtualRouters).toEqual([]);
    expect(a.notified.slice(-1)).toEqual(['VI_1 DELETED 100']);
    // The service itself stays, on an address that is nobody's virtual router.
    expect(a.standby()).toEqual([]);
  });

  test('one that comes back while it is still giving up is a new one', async () => {
    const a = await master();
    await reload(a, []);
    await reload(a, [routerWith()]);
    expect(a.director.virtualRouters().virtualRouters.map(({ state }) => state)).toEqual([
      'backup',
      'releasing',
    ]);
    await lab.wait(6);
    expect(a.director.virtualRouters().virtualRouters.map(({ state }) => state)).toEqual(['master']);
    expect(a.addresses()).toEqual([vip]);
  });
});

describe('another identity', () => {
  test('alone: the address never leaves, and is announced by the new one', async () => {
    const a = await master();
    await reload(a, [routerWith({ virtualRouterId: 52 })]);
    await lab.watch(8, 0.1, () => {
      expect(a.addresses()).toEqual([vip]);
      expect(a.standby()).toEqual([]);
    });
    expect(
      a.director
        .virtualRouters()
        .virtualRouters.map(({ state, virtualRouterId }) => [state, virtualRouterId]),
    ).toEqual([['master', 52]]);
    const journal = lab.take();
    expect(journal.filter((entry) => entry.startsWith('a: remove'))).toEqual([]);
    expect(journal).toContain('a: announce');
    // Only the new one's scripts hear of it.
    expect(a.notified).toEqual(['VI_1 BACKUP 100', 'VI_1 MASTER 100', 'VI_1 BACKUP 100', 'VI_1 MASTER 100']);
    expect(a.view().counters.becameMaster).toBe(2);
  });

  test('with a peer that has it already: the old one lets go as soon as the peer is heard', async () => {
    const a = await master();
    const b = await lab.start('b', 2, {
      routers: [routerWith({ virtualRouterId: 52, priority: 150 })],
      services,
    });
    await lab.wait(5);
    expect(lab.holdersOf(vip)).toEqual(['a', 'b']);
    await reload(a, [routerWith({ virtualRouterId: 52 })]);
    await lab.wait(1.2);
    expect(lab.holdersOf(vip)).toEqual(['b']);
    expect(a.standby()).toEqual([vip]);
    expect(b.state()).toBe('master');
  });

  test('a backup restarts at once', async () => {
    const a = await lab.start('a', 1, { routers: [routerWith()], services });
    await reload(a, [routerWith({ version: 3 })]);
    expect(a.view()).toMatchObject({ state: 'backup', version: 3 });
    expect(a.director.virtualRouters().virtualRouters).toHaveLength(1);
  });

  test('another device: fault there, and the old one gives up all the same', async () => {
    const a = await master();
    await reload(a, [routerWith({ device: 'eth5' })]);
    await lab.wait(6);
    expect(a.director.virtualRouters().virtualRouters.map(({ state }) => state)).toEqual(['fault']);
    expect(a.addresses()).toEqual([]);
  });
});

describe('groups', () => {
  const second = routerWith({ name: 'VI_2', virtualRouterId: 52, addresses: [prefix(other)] });

  test('a member that joins a group with a master becomes one', async () => {
    const a = await master();
    await reload(a, [routerWith(), second], [['VI_1', 'VI_2']]);
    await lab.wait(0);
    expect(a.state('VI_2')).toBe('master');
    expect(a.notified.at(-1)).toBe('G1 MASTER 0');
  });

  test('a group’s fault ends for a member that leaves it', async () => {
    const broken = {
      ...second,
      tracks: [{ kind: 'interface', name: 'eth9', weight: 0, isReversed: false }] as const,
    };
    const a = await lab.start('a', 1, {
      routers: [routerWith(), broken],
      groups: [['VI_1', 'VI_2']],
      services,
    });
    expect(a.state('VI_1')).toBe('fault');
    await reload(a, [routerWith(), broken]);
    expect([a.state('VI_1'), a.state('VI_2')]).toEqual(['backup', 'fault']);
    await reload(a, [routerWith(), broken], [['VI_1', 'VI_2']]);
    expect(a.view('VI_1').faults).toEqual(['VI_2 is in fault']);
  });
});

test('a table that is refused leaves the virtual routers as they are', async () => {
  const a = await master();
  const failure = new Error('full');
  a.dataplane.publishFailure = failure as never;
  await expect(
    a.reload({ routers: [routerWith({ addresses: [prefix(vip), prefix(other)] })], services: [vip] }),
  ).rejects.toThrow('full');
  a.dataplane.publishFailure = undefined;
  expect(a.view().addresses).toEqual([vip]);
  expect(a.addresses()).toEqual([vip]);
  expect(a.state()).toBe('master');
});
