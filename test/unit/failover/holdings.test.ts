// Addresses and routes with their owners: who adds, who removes, in which order, and what happens when it fails.
import { describe, expect, test } from 'vitest';
import type { Belonging, CustodyOutcome } from '../../../src/dataplane/custody.js';
import type { Link } from '../../../src/dataplane/network.js';
import type { HostAddress } from '../../../src/dataplane/port.js';
import type { IpAddress } from '../../../src/model/address.js';
import type { VirtualRoute } from '../../../src/model/virtual-router.js';
import {
  Holdings,
  type HoldingsNetwork,
  possessionsOf,
  unionOf,
} from '../../../src/runtime/failover/holdings.js';
import { routerWith } from '../../support/failover-director.js';
import { vip as prefix } from '../vrrp/fixtures.js';

const address = (text: string, more: Partial<HostAddress> = {}): HostAddress => ({
  address: text as IpAddress,
  prefixLength: 24,
  device: 'eth0',
  label: undefined,
  scope: 'global',
  broadcast: undefined,
  ...more,
});
const route: VirtualRoute = {
  destination: { address: '10.7.0.0' as IpAddress, length: 16 },
  gateway: undefined,
  device: 'eth0',
  source: undefined,
  metric: undefined,
  table: undefined,
  kind: 'unicast',
  scope: undefined,
  isOnLink: false,
};
const one = address('10.0.0.100');
const two = address('10.0.0.101');

/** A kernel that knows primary and secondary addresses, as IPv4 has them, and routes that come from one. */
function fixture() {
  const calls: string[] = [];
  const warnings: string[] = [];
  const broken = new Set<string>();
  const present = new Set<string>();
  const secondaries = new Map<string, string>();
  const act = async (what: 'add' | 'remove', name: string, length = 0) => {
    await Promise.resolve();
    if (broken.has(name)) throw new Error('no such device');
    calls.push(`${what} ${name}`);
    if (what === 'add') present.add(`${name}/${length}`);
    else take(`${name}/${length}`);
  };
  const take = (key: string) => {
    present.delete(key);
    for (const [secondary, primary] of secondaries) if (primary === key) take(secondary);
  };
  const lookAfterOne = async (belonging: Belonging): Promise<CustodyOutcome> => {
    const [name, length] =
      belonging.kind === 'address'
        ? [belonging.address.address, belonging.address.prefixLength]
        : [belonging.kind, 0];
    const isNew = !belonging.isOurDoing;
    if (present.has(`${name}/${length}`)) return { state: 'in-place', text: '', isNew: false };
    try {
      await act('add', name, length);
      return { state: 'put-back', text: `${name} is gone; it is put back`, isNew };
    } catch (error) {
      return { state: 'left', text: `${name}: ${(error as Error).message}`, isNew };
    }
  };
  const network: HoldingsNetwork = {
    addAddress: (held) => act('add', held.address, held.prefixLength),
    removeAddress: (held) => act('remove', held.address, held.prefixLength),
    addRoute: () => act('add', 'route'),
    removeRoute: () => act('remove', 'route'),
    lookAfter: async (belongings) => {
      const outcomes: CustodyOutcome[] = [];
      for (const belonging of belongings) outcomes.push(await lookAfterOne(belonging));
      return outcomes;
    },
  };
  const holdings = new Holdings(network, (owner, message) => warnings.push(`${owner}: ${message}`));
  return { calls, warnings, broken, present, secondaries, holdings };
}

const linkWith = (...addresses: readonly string[]): Link => ({
  name: 'eth0',
  ifindex: 2,
  mac: '',
  isUp: true,
  mtu: 1500,
  addresses: addresses.map((text) => ({ address: text as IpAddress, length: 24 })),
});

test('addresses before routes, and back in reverse', async () => {
  const { calls, holdings } = fixture();
  await holdings.add('a', { addresses: [one, two], routes: [route] });
  await holdings.remove('a');
  expect(calls).toEqual([
    'add 10.0.0.100',
    'add 10.0.0.101',
    'add route',
    'remove route',
    'remove 10.0.0.101',
    'remove 10.0.0.100',
  ]);
});

test('an address with another prefix length: IPv6 has one of them, so the old one goes first', async () => {
  const { calls, holdings } = fixture();
  const [before, after] = [
    address('fd00::100', { prefixLength: 64 }),
    address('fd00::100', { prefixLength: 128 }),
  ];
  await holdings.add('a', { addresses: [one, before], routes: [] });
  calls.length = 0;
  await holdings.exchange('a', { addresses: [{ ...one, prefixLength: 32 }, after], routes: [] });
  expect(calls).toEqual(['remove fd00::100', 'add 10.0.0.100', 'add fd00::100', 'remove 10.0.0.100']);
});

test('what was the machine’s own before is left to it', async () => {
  const { calls, holdings } = fixture();
  const both = { addresses: [one, two], routes: [] };
  const beside = [linkWith('10.0.0.100', '10.0.0.1')];
  holdings.spare(both, beside);
  expect(holdings.removable(both).addresses).toEqual([one, two]);
  holdings.spare(both, [linkWith('10.0.0.100')]);
  await holdings.clean('a', both);
  await holdings.add('a', both);
  expect(holdings.removable(both).addresses).toEqual([two]);
  await holdings.remove('a');
  expect(calls).toEqual(['remove 10.0.0.101', 'add 10.0.0.100', 'add 10.0.0.101', 'remove 10.0.0.101']);
});

test('what a run before has left and can’t be removed, or not be seen, is said once and tried again', async () => {
  const { calls, broken, warnings, holdings } = fixture();
  const both = { addresses: [one, two], routes: [] };
  broken.add('10.0.0.100');
  await holdings.clean('a', both);
  await holdings.retryRemovals();
  expect([holdings.hasLeftovers, warnings.length]).toEqual([true, 1]);
  broken.clear();
  await holdings.retryRemovals();
  expect([holdings.hasLeftovers, calls]).toEqual([false, ['remove 10.0.0.101', 'remove 10.0.0.100']]);

  let isFull = true;
  const links = () => {
    if (isFull) throw new Error('too many open files');
    return [linkWith('10.0.0.100')];
  };
  await holdings.clean('owner', both, links);
  await holdings.retryRemovals();
  expect([holdings.hasLeftovers, warnings.slice(1), calls.length]).toEqual([
    true,
    [expect.stringContaining('too many open files')],
    2,
  ]);
  isFull = false;
  await holdings.retryRemovals();
  expect([holdings.hasLeftovers, calls.slice(2)]).toEqual([false, ['remove 10.0.0.101']]);
});

test('the last owner removes; a claim counts at once', async () => {
  const { calls, holdings } = fixture();
  await holdings.add('a', { addresses: [one], routes: [] });
  holdings.claim('b', { addresses: [one], routes: [] });
  await holdings.remove('a');
  await holdings.add('b', { addresses: [one], routes: [] });
  expect(calls).toEqual(['add 10.0.0.100']);
  await holdings.remove('b');
  expect(calls).toEqual(['add 10.0.0.100', 'remove 10.0.0.100']);
});

test('whoever comes while it is being removed gets it again', async () => {
  const { calls, holdings } = fixture();
  await holdings.add('a', { addresses: [one], routes: [] });
  const removed = holdings.remove('a');
  await Promise.resolve();
  await holdings.add('b', { addresses: [one], routes: [] });
  await removed;
  expect(calls).toEqual(['add 10.0.0.100', 'remove 10.0.0.100', 'add 10.0.0.100']);
  expect(holdings.isComplete('b')).toBe(true);
});

test('clean removes what nobody holds', async () => {
  const { calls, holdings } = fixture();
  await holdings.add('a', { addresses: [one], routes: [] });
  await holdings.clean('b', { addresses: [one, two], routes: [route] });
  expect(calls).toEqual(['add 10.0.0.100', 'remove route', 'remove 10.0.0.101']);
});

test('what can’t be removed is said, and forgotten', async () => {
  const { warnings, broken, holdings } = fixture();
  await holdings.add('a', { addresses: [one], routes: [route] });
  broken.add('10.0.0.100').add('route');
  await holdings.remove('a');
  await holdings.clean('a', { addresses: [two], routes: [] });
  expect(warnings).toEqual([
    "a: can't remove the route 10.7.0.0/16 dev eth0: no such device",
    "a: can't remove 10.0.0.100/24 on eth0: no such device",
  ]);
});

test('what can’t be added is said once, tried again, and then there', async () => {
  const { calls, warnings, broken, holdings } = fixture();
  broken.add('10.0.0.100');
  await holdings.add('a', { addresses: [one, two], routes: [] });
  expect(holdings.isComplete('a')).toBe(false);
  expect(await holdings.look([])).toEqual({ news: [], helped: new Set() });
  expect(warnings).toEqual(["a: can't add 10.0.0.100/24 on eth0: no such device"]);
  broken.clear();
  expect(await holdings.look([])).toEqual({ news: [], helped: new Set(['a']) });
  expect(holdings.isComplete('a')).toBe(true);
  expect(calls).toEqual(['add 10.0.0.101', 'add 10.0.0.100']);
});

describe('what somebody else takes away', () => {
  test('is found by the next look, whether it was ever seen or not, and told with its owner', async () => {
    const { present, holdings } = fixture();
    await holdings.add('a', { addresses: [one], routes: [route] });
    present.clear();
    expect(await holdings.look([])).toMatchObject({
      news: [
        { owner: 'a', text: '10.0.0.100 is gone; it is put back', isBack: true },
        { owner: 'a', text: 'route is gone; it is put back', isBack: true },
      ],
      helped: new Set(['a']),
    });
    expect(await holdings.look([])).toEqual({ news: [], helped: new Set() });
  });

  test('and can’t be put back counts as missing until it is there', async () => {
    const { present, broken, holdings } = fixture();
    await holdings.add('a', { addresses: [one], routes: [] });
    present.clear();
    broken.add('10.0.0.100');
    expect(await holdings.look([])).toMatchObject({ news: [{ owner: 'a', isBack: false }] });
    expect(holdings.isComplete('a')).toBe(false);
    broken.clear();
    expect((await holdings.look([]))?.helped).toEqual(new Set(['a']));
    expect(holdings.isComplete('a')).toBe(true);
  });

  test('is not looked at while we change something ourselves, and a change waits for a look', async () => {
    const { calls, present, holdings } = fixture();
    const adding = holdings.add('a', { addresses: [one], routes: [] });
    expect(await holdings.look([])).toBeUndefined();
    await adding;
    present.clear();
    const looked = holdings.look([]);
    const removed = holdings.remove('a');
    await Promise.all([looked, removed]);
    expect(calls).toEqual(['add 10.0.0.100', 'add 10.0.0.100', 'remove 10.0.0.100']);
    expect(await holdings.look([])).toEqual({ news: [], helped: new Set() });
    expect(present).toEqual(new Set());
  });
});

test('what goes with an address that we remove ourselves is there again at once, and nobody is blamed', async () => {
  const { present, secondaries, holdings } = fixture();
  secondaries.set('10.0.0.101/24', '10.0.0.100/24').set('route/0', '10.0.0.101/24');
  await holdings.add('a', { addresses: [one], routes: [] });
  await holdings.exchange('a', { addresses: [two], routes: [route] });
  expect(present).toEqual(new Set(['10.0.0.101/24', 'route/0']));
  expect(await holdings.look([])).toEqual({ news: [], helped: new Set() });
});

describe('exchange', () => {
  test('new ones come first', async () => {
    const { calls, holdings } = fixture();
    await holdings.add('a', { addresses: [one], routes: [] });
    calls.length = 0;
    await holdings.exchange('a', { addresses: [two], routes: [] });
    expect(calls).toEqual(['add 10.0.0.101', 'remove 10.0.0.100']);
  });

  test('what is one to the kernel goes first', async () => {
    const { calls, holdings } = fixture();
    await holdings.add('a', { addresses: [one], routes: [] });
    calls.length = 0;
    await holdings.exchange('a', { addresses: [{ ...one, label: 'eth0:1' }], routes: [] });
    expect(calls).toEqual(['remove 10.0.0.100', 'add 10.0.0.100']);
  });

  test('the same is the same', async () => {
    const { calls, holdings } = fixture();
    await holdings.add('a', { addresses: [one], routes: [route] });
    calls.length = 0;
    await holdings.exchange('a', { addresses: [one], routes: [route] });
    expect(calls).toEqual([]);
  });
});

test('what a virtual router holds: excluded addresses too, on the virtual MAC’s device where there is one', () => {
  const router = routerWith({
    addresses: [prefix('10.0.0.100/24'), { ...prefix('10.0.0.101/24'), device: 'eth1', label: 'eth1:v' }],
    excludedAddresses: [prefix('fd00::100/64')],
    virtualMacDevice: 'uvs.51',
  });
  const { addresses } = possessionsOf(router);
  expect(
    addresses.map(({ address: text, device, label }) => `${text} ${device} ${label ?? ''}`.trim()),
  ).toEqual(['10.0.0.100 uvs.51', '10.0.0.101 eth1 eth1:v', 'fd00::100 uvs.51']);
});

test('a union has each thing once', () => {
  const both = unionOf({ addresses: [one], routes: [route] }, { addresses: [one, two], routes: [route] });
  expect(both).toEqual({ addresses: [one, two], routes: [route] });
});
