// Who becomes master, in which order things are done then, and what happens when the master is gone: two or three
// directors on one wire in memory.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seconds } from '../../../src/model/units.js';
import { FailoverLab, routerWith } from '../../support/failover-director.js';

let lab: FailoverLab;
beforeEach(() => {
  lab = new FailoverLab();
});
afterEach(() => lab.close());

const strong = { routers: [routerWith({ priority: 150 })] };
const weak = { routers: [routerWith({ priority: 100 })] };
const vip = '10.0.0.100';

describe('a start', () => {
  test('the services of a virtual router begin standing by, and nothing is on the machine', async () => {
    const a = await lab.start('a', 1, strong);
    expect(lab.take()).toEqual([`a: standby ${vip}`, 'a: notify VI_1 BACKUP']);
    expect(a.state()).toBe('backup');
    expect(a.addresses()).toEqual([]);
  });

  test('what a dead run left of its addresses is removed', async () => {
    const a = lab.create('a', 1, strong);
    const left = { address: vip, prefixLength: 32, device: 'eth0', label: undefined };
    a.network.addresses.push({ ...left, scope: 'global', broadcast: undefined } as never);
    await a.director.start();
    expect(lab.take('standby', 'notify')).toEqual([`a: remove ${vip}`]);
  });

  test('a service on an address of no virtual router is forwarded from the start', async () => {
    const a = await lab.start('a', 1, { ...strong, services: [vip, '10.0.0.7'] });
    expect(a.standby()).toEqual([vip]);
    expect(a.director.status().missingAddresses).toEqual(['10.0.0.7']);
  });

  test('an excluded address belongs to its virtual router, too', async () => {
    const excludedAddresses = routerWith().addresses.map((entry) => ({
      ...entry,
      address: '10.0.0.7' as never,
    }));
    const a = await lab.start('a', 1, {
      routers: [routerWith({ excludedAddresses })],
      services: [vip, '10.0.0.7'],
    });
    expect(a.standby()).toEqual([vip, '10.0.0.7']);
    await lab.wait(4);
    expect(a.standby()).toEqual([]);
    expect(a.addresses()).toEqual([vip, '10.0.0.7']);
  });
});

describe('an election', () => {
  test('the better priority takes over, in this order; the other follows', async () => {
    const a = await lab.start('a', 1, strong);
    const b = await lab.start('b', 2, weak);
    lab.take();
    await lab.wait(4);
    expect(lab.take()).toEqual([
      'a: advert 150 repeated',
      'a: probe',
      'a: forward all',
      `a: will of ${vip}`,
      `a: add ${vip}`,
      ...Array(5).fill('a: announce'),
      'a: notify VI_1 MASTER',
    ]);
    expect([a.state(), b.state()]).toEqual(['master', 'backup']);
    expect(b.view().master).toMatchObject({ address: '10.0.0.1', priority: 150 });
    expect(b.standby()).toEqual([vip]);
  });

  test('a better one that comes late takes over from a living master, and neither forwards for nobody', async () => {
    const b = await lab.start('b', 2, weak);
    await lab.wait(5);
    const a = await lab.start('a', 1, strong);
    lab.take();
    await lab.wait(4);
    expect(lab.take('announce')).toEqual([
      ...Array(3).fill('b: advert 100 repeated'),
      'a: advert 150 repeated',
      'b: hush',
      `b: remove ${vip}`,
      'b: no will',
      'b: notify VI_1 BACKUP',
      'a: forward all',
      `a: will of ${vip}`,
      `a: add ${vip}`,
      'a: notify VI_1 MASTER',
      // Not before: what still comes to it is forwarded, for the successor is on its way.
      `b: standby ${vip}`,
    ]);
    expect(lab.holdersOf(vip)).toEqual(['a']);
    expect(b.view().counters).toMatchObject({ becameMaster: 1, releasedMaster: 1 });
    expect(a.view().takeovers).toEqual([]);
  });

  test('adverts are counted on both sides', async () => {
    const a = await lab.start('a', 1, strong);
    const b = await lab.start('b', 2, weak);
    await lab.wait(8.5);
    const { sent } = a.view().counters;
    expect(sent).toBe(6);
    expect(b.view().counters).toMatchObject({ received: sent, sent: 0 });
    expect(a.view().counters).toMatchObject({ received: 0, becameMaster: 1 });
  });
});

describe('a master that is lost', () => {
  test('killed: the guardian says priority 0, the backup is there after its skew time', async () => {
    const a = await lab.start('a', 1, strong);
    const b = await lab.start('b', 2, weak);
    await lab.wait(5);
    a.network.die();
    await lab.wait(1);
    expect(lab.holdersOf(vip)).toEqual(['b']);
    const [takeover, ...others] = b.view().takeovers;
    expect(others).toEqual([]);
    expect(takeover).toMatchObject({ cause: 'released', took: 609_375, budget: 609_375, isWithin: true });
    expect(b.events).toContainEqual(
      expect.objectContaining({ kind: 'takeover', router: 'VI_1', isWithin: true }),
    );
  });

  test('cut off: the backup hears three adverts less and is there within the budget', async () => {
    const a = await lab.start('a', 1, strong);
    const b = await lab.start('b', 2, weak);
    await lab.wait(5);
    lab.wire.cut(a.network, b.network);
    await lab.wait(4);
    expect(b.state()).toBe('master');
    expect(b.view().takeovers).toMatchObject([{ cause: 'silence', took: 3_609_375, budget: 3_609_375 }]);
  });

  test('a takeover that took longer than its budget is told as one', async () => {
    const a = await lab.start('a', 1, strong);
    const b = await lab.start('b', 2, weak);
    await lab.wait(5);
    let publish = () => {};
    const isPublished = new Promise<void>((resolve) => {
      publish = resolve;
    });
    const original = b.dataplane.publish.bind(b.dataplane);
    b.dataplane.publish = async (table) => {
      await isPublished;
      return original(table);
    };
    a.network.die();
    await lab.wait(2);
    expect(b.addresses()).toEqual([]);
    publish();
    await lab.wait(0);
    expect(b.view().takeovers).toMatchObject([{ isWithin: false, took: 2_000_000 }]);
    expect(b.logged.some((line) => line.includes('too late'))).toBe(true);
  });

  test('one that finds nobody when it starts has taken over from nobody', async () => {
    const a = await lab.start('a', 1, strong);
    await lab.wait(5);
    expect(a.state()).toBe('master');
    expect(a.view().takeovers).toEqual([]);
  });
});

describe('the lease', () => {
  test('a master whose lease ran out has lost its addresses; it gives up and is master again when nobody else is', async () => {
    const a = await lab.start('a', 1, strong);
    await lab.wait(5);
    lab.take();
    a.network.emit({ kind: 'lease-expired', router: 'VI_1' });
    await lab.wait(0);
    expect(lab.take('announce')).toEqual([
      'a: advert 0',
      `a: remove ${vip}`,
      'a: no will',
      `a: standby ${vip}`,
      'a: notify VI_1 BACKUP',
    ]);
    expect(a.events).toContainEqual({ kind: 'lease-expired', router: 'VI_1' });
    await lab.wait(2);
    expect(a.state()).toBe('master');
    expect(a.addresses()).toEqual([vip]);
  });

  test('for a name that nobody has it means nothing', async () => {
    const a = await lab.start('a', 1, strong);
    a.network.emit({ kind: 'lease-expired', router: 'VI_9' });
    expect(a.state()).toBe('backup');
  });
});

describe('timeline', () => {
  test('each transition with its cause, and as an event', async () => {
    const a = await lab.start('a', 1, strong);
    await lab.wait(5);
    const { timeline } = a.director.virtualRouters();
    expect(timeline.map(({ router, from, to, cause }) => [router, from, to, cause])).toEqual([
      ['VI_1', 'initialize', 'backup', 'started'],
      ['VI_1', 'backup', 'master', 'silence'],
    ]);
    expect(timeline[1]?.why).toBe('no master was heard for 3.414 s');
    expect(timeline[1]?.at).toBe((timeline[0]?.at ?? 0) + 3_414_063);
    expect(a.events.filter(({ kind }) => kind === 'virtual-router-changed')).toHaveLength(2);
    expect(a.view().since).toBe(timeline[1]?.at);
  });
});

test('the network knows the master that is followed, for as long as it is', async () => {
  const a = await lab.start('a', 1, { routers: [routerWith({ priority: 150 })] });
  const b = await lab.start('b', 2, { routers: [routerWith({ priority: 100 })] });
  await lab.wait(6);
  expect([...a.network.followed]).toEqual([]);
  const [origin] = b.network.followed.values();
  expect(origin).toEqual({ device: 'eth0', source: '10.0.0.1', virtualRouterId: 51 });
  const stopped = a.director.stop();
  await lab.wait(6);
  await stopped;
  expect(b.state()).toBe('master');
  expect([...b.network.followed]).toEqual([]);
});

describe('messages that are no advert of a virtual router of ours', () => {
  const heard = { device: 'eth0', source: '10.0.0.9', destination: '224.0.0.18', ttl: 255 } as const;
  const emit = (a: { network: { emit: (event: never) => void } }, message: number[], more: object = {}) =>
    a.network.emit({ kind: 'advert', ...heard, ...more, message: Uint8Array.from(message) } as never);

  test('are counted, and change nothing', async () => {
    const a = await lab.start('a', 1, strong);
    await lab.wait(1);
    lab.take();
    emit(a, []);
    emit(a, [0x21]);
    emit(a, [0x21, 99, 100, 0]);
    emit(a, [0x21, 51, 100, 0]);
    emit(a, [0x21, 51, 100, 0, 0, 1, 0, 0], { ttl: 254 });
    emit(a, [0x31, 51, 100, 0, 0, 1, 0, 0]);
    emit(a, [0x21, 51, 255, 0, 0, 1, 0, 0], { source: '10.0.0.1' });
    expect(a.director.virtualRouters().strays).toMatchObject({
      short: 2,
      unknownRouter: 1,
      senders: [{ device: 'eth0', source: '10.0.0.9', virtualRouterId: 99, count: 1, claims: undefined }],
    });
    expect(a.view().counters).toMatchObject({
      received: 0,
      rejected: { length: 1, ttl: 1, version: 1, 'own-advert': 1 },
    });
    expect(a.state()).toBe('backup');
    expect(lab.take()).toEqual([]);
  });

  test('another VRID with an address of ours is told by source, VRID and address', async () => {
    const a = await lab.start('a', 1, strong);
    const [address = ''] = a.view().addresses;
    for (let i = 0; i < 3; i++) {
      emit(a, [0x21, 52, 100, 1, 0, 1, 0, 0, ...address.split('.').map(Number), 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    expect(a.view().counters.reports['other-vrid']).toBe(3);
    const told = a.logged.filter((line) =>
      line.includes(`10.0.0.9 on eth0 sends adverts for ${address} with VRID 52`),
    );
    expect(told).toHaveLength(1);
    expect(a.director.virtualRouters().strays.senders).toEqual([
      {
        device: 'eth0',
        source: '10.0.0.9',
        virtualRouterId: 52,
        count: 3,
        claims: { address, router: 'VI_1' },
      },
    ]);
  });

  test('senders are many, and what is kept of them is bounded: who claims an address of ours stays', async () => {
    const a = await lab.start('a', 1, strong);
    const claim = a.view().addresses[0]?.split('.').map(Number) ?? [];
    emit(a, [0x21, 52, 100, 1, 0, 1, 0, 0, ...claim, 0, 0, 0, 0, 0, 0, 0, 0]);
    for (let i = 0; i < 100; i++) emit(a, [0x21, 99, 100, 0], { source: `10.9.0.${i}` });
    const { senders, unknownRouter } = a.director.virtualRouters().strays;
    expect(senders).toHaveLength(32);
    expect(senders[0]).toMatchObject({ virtualRouterId: 52 });
    expect(unknownRouter).toBe(101);
  });

  test('one of a VRID on another device is nobody’s', async () => {
    const a = await lab.start('a', 1, strong);
    emit(a, [0x21, 51, 100, 0, 0, 1, 0, 0], { device: 'eth1' });
    expect(a.director.virtualRouters().strays.unknownRouter).toBe(1);
  });
});

test('two virtual routers share a listener, and each gets its own', async () => {
  const second = (priority: number) =>
    routerWith({ name: 'VI_2', virtualRouterId: 52, priority, addresses: [] });
  const a = await lab.start('a', 1, { routers: [routerWith({ priority: 150 }), second(90)] });
  const b = await lab.start('b', 2, { routers: [routerWith({ priority: 100 }), second(110)] });
  await lab.wait(6);
  expect([a.state('VI_1'), a.state('VI_2')]).toEqual(['master', 'backup']);
  expect([b.state('VI_1'), b.state('VI_2')]).toEqual(['backup', 'master']);
  expect(a.director.virtualRouters().strays.unknownRouter).toBe(0);
});

test('adverts go to each unicast peer, and the repeater has all of them', async () => {
  const peers = ['10.0.0.2', '10.0.0.3'].map((address) => ({
    address: address as never,
    minTtl: 0,
    maxTtl: 255,
  }));
  const delivery = { kind: 'unicast', peers, checksSource: false, ttl: 64 } as const;
  await lab.start('a', 1, { routers: [routerWith({ delivery, priority: 200 })] });
  await lab.wait(4);
  expect(lab.wire.adverts.map(({ destination, ttl }) => `${destination} ${ttl}`)).toEqual([
    '10.0.0.2 64',
    '10.0.0.3 64',
  ]);
});

test('an advert interval of 10 ms: the repeater never speaks while the director is well', async () => {
  const routers = [routerWith({ version: 3, advertInterval: seconds(0.01) })];
  await lab.start('a', 1, { routers });
  await lab.wait(0.5);
  expect(lab.wire.adverts.length).toBeGreaterThan(40);
  expect(lab.wire.adverts.every(({ by }) => by === 'director')).toBe(true);
});
