// Devices and addresses under a virtual router: links that fall, addresses that change, devices that vanish and return,
// virtual MACs, and somebody who removes what is ours.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DirectorError } from '../../../src/errors.js';
import type { IpAddress } from '../../../src/model/address.js';
import { type FailoverDirector, FailoverLab, routerWith } from '../../support/failover-director.js';
import { vip as prefix } from '../vrrp/fixtures.js';

let lab: FailoverLab;
beforeEach(() => {
  lab = new FailoverLab();
});
afterEach(() => lab.close());

const vip = '10.0.0.100';
const ip = (text: string) => text as IpAddress;

async function master(setup = { routers: [routerWith()] }): Promise<FailoverDirector> {
  const a = await lab.start('a', 1, setup);
  await lab.wait(4);
  expect(a.state()).toBe('master');
  lab.take();
  return a;
}

describe('its own device', () => {
  test('down: fault, with what is still possible; up again: it listens first', async () => {
    const a = await master();
    a.network.setLink({ name: 'eth0', isUp: false });
    await lab.wait(0);
    expect(lab.take()).toEqual([
      'a: advert 0',
      `a: remove ${vip}`,
      'a: no will',
      `a: standby ${vip}`,
      'a: notify VI_1 FAULT',
    ]);
    expect(a.view()).toMatchObject({
      state: 'fault',
      faults: ['interface eth0 is down'],
      hasAddresses: false,
    });
    // The reason is known: no warning about the advert beside it.
    expect(a.view().counters).toMatchObject({ sendFailures: 1, reports: {} });
    a.network.setLink({ name: 'eth0', isUp: true });
    await lab.wait(0);
    expect(a.state()).toBe('backup');
    await lab.wait(4);
    expect(a.state()).toBe('master');
    expect(a.addresses()).toEqual([vip]);
  });

  test('dont_track_primary: down is no fault, and what can’t be sent is told', async () => {
    const a = await master({ routers: [{ ...routerWith(), tracks: [] }] });
    a.network.setLink({ name: 'eth0', isUp: false });
    await lab.wait(2);
    expect(a.view()).toMatchObject({
      state: 'master',
      faults: [],
      counters: { reports: { 'send-failed': 2 } },
    });
    a.network.setLink({ name: 'eth0', isUp: true });
    await lab.wait(2);
    expect(a.view().counters).toMatchObject({ sendFailures: 2, reports: { 'send-failed': 2 } });
  });

  test('missing at the start: fault until it comes', async () => {
    const a = lab.create('a', 1, { routers: [routerWith({ device: 'eth7' })] });
    await a.director.start();
    expect(a.view()).toMatchObject({
      state: 'fault',
      faults: ['there is no interface eth7'],
      source: undefined,
    });
    a.network.setLink({ name: 'eth7', addresses: [{ address: ip('10.7.0.1'), length: 24 }] });
    await lab.wait(0);
    expect(a.view()).toMatchObject({ state: 'backup', source: '10.7.0.1' });
  });

  test('it vanishes and returns with another index: heard and spoken on again', async () => {
    const a = await lab.start('a', 1, { routers: [routerWith({ priority: 50 })] });
    await lab.start('b', 2, { routers: [routerWith({ priority: 150 })] });
    await lab.wait(5);
    const link = a.network.links()[0];
    if (link === undefined) throw new Error('no link');
    a.network.removeLink('eth0');
    await lab.wait(1);
    expect(a.view().faults).toEqual(['there is no interface eth0']);
    a.network.setLink({ name: 'eth0', addresses: link.addresses });
    await lab.wait(2);
    expect(a.view()).toMatchObject({ state: 'backup', master: { address: '10.0.0.2' } });
  });

  test('without an address of its own there is nothing to send from; virtual ones do not count', async () => {
    const a = await master();
    a.network.setLink({ name: 'eth0', addresses: [{ address: ip(vip), length: 32 }] });
    await lab.wait(0);
    expect(a.view().faults).toEqual(['interface eth0 has no IPv4 address of its own']);
  });

  test('an owner may send from the address that it owns', async () => {
    const a = lab.create('a', 1, { routers: [routerWith({ priority: 255, startState: 'master' })] });
    a.network.setLink({ name: 'eth0', addresses: [{ address: ip(vip), length: 32 }] });
    await a.director.start();
    expect(a.view()).toMatchObject({ state: 'master', source: vip });
  });

  test('IPv6 adverts come from the link-local address', async () => {
    const routers = [
      routerWith({
        family: 6,
        version: 3,
        addresses: [prefix('fe80::100/64'), prefix('fd00::100/64')],
        delivery: { kind: 'multicast', group: ip('ff02::12') },
      }),
    ];
    const a = await master({ routers });
    expect(a.view().source).toBe('fe80::1');
    expect(lab.wire.adverts.at(-1)).toMatchObject({ source: 'fe80::1', destination: 'ff02::12', ttl: 255 });
  });

  test.each([
    ['10.0.0.9', '10.0.0.9 is on no interface of this machine'],
    ['10.0.0.1', undefined],
  ])('mcast_src_ip %s', async (source, fault) => {
    const a = await lab.start('a', 1, { routers: [routerWith({ source: ip(source) })] });
    expect(a.view().faults).toEqual(fault === undefined ? [] : [fault]);
  });
});

test('another primary address: adverts come from it at once, and so would the guardian’s', async () => {
  const a = await master();
  a.network.setLink({
    name: 'eth0',
    addresses: [
      { address: ip('10.0.0.77'), length: 24 },
      { address: ip(vip), length: 32 },
    ],
  });
  await lab.wait(0);
  expect(lab.take()).toEqual(['a: advert 100 repeated', `a: will of ${vip}`]);
  expect(lab.wire.adverts.at(-1)?.source).toBe('10.0.0.77');
  expect(a.view().source).toBe('10.0.0.77');
});

test('a socket that can’t be opened is a fault, and tried again without an event', async () => {
  const a = lab.create('a', 1, { routers: [routerWith()] });
  a.network.failures.set('listenForAdverts', new DirectorError('IO', 'too many groups'));
  await a.director.start();
  expect(a.view().faults).toEqual(['interface eth0: too many groups']);
  a.network.failures.clear();
  await lab.wait(5);
  expect(a.state()).toBe('backup');
});

describe('track_interface', () => {
  const track = (weight: number) => ({ kind: 'interface', name: 'eth1', weight, isReversed: false }) as const;

  test('weight 0: its loss is a fault', async () => {
    const a = lab.create('a', 1, { routers: [routerWith({ tracks: [track(0)] })] });
    a.network.setLink({ name: 'eth1' });
    await a.director.start();
    await lab.wait(4);
    a.network.setLink({ name: 'eth1', isUp: false });
    await lab.wait(0);
    expect(a.view()).toMatchObject({ state: 'fault', faults: ['interface eth1 is down'] });
  });

  test('a weight moves the priority, and with it the mastership', async () => {
    const a = lab.create('a', 1, { routers: [routerWith({ priority: 150, tracks: [track(-60)] })] });
    a.network.setLink({ name: 'eth1' });
    await a.director.start();
    const b = await lab.start('b', 2, { routers: [routerWith({ priority: 100 })] });
    await lab.wait(5);
    expect(a.state()).toBe('master');
    a.network.setLink({ name: 'eth1', isUp: false });
    await lab.wait(5);
    expect(a.view()).toMatchObject({ state: 'backup', basePriority: 150, priority: 90 });
    expect(a.notified).toContain('VI_1 MASTER_PRIORITY 90');
    expect(b.state()).toBe('master');
    a.network.setLink({ name: 'eth1', isUp: true });
    await lab.wait(5);
    expect(a.state()).toBe('master');
    expect(a.notified).toContain('VI_1 BACKUP_PRIORITY 150');
    const told = a.logged.filter((line) => line.includes('virtual router VI_1: priority is'));
    expect(told.map((line) => line.replace(/^.*: /, ''))).toEqual([
      'priority is 90 now 150',
      'priority is 150 now 150',
    ]);
  });
});

describe('scripts and files', () => {
  test('a script of weight 0 keeps it out until its first result', async () => {
    const tracks = [{ kind: 'script', name: 'web', weight: 0, isReversed: false }] as const;
    const a = await lab.start('a', 1, { routers: [routerWith({ tracks })] });
    await lab.wait(10);
    expect(a.view()).toMatchObject({ state: 'initialize', faults: ['script web has not run yet'] });
    expect([a.notified, a.addresses()]).toEqual([[], []]);
    a.tracking.setScript('web', true);
    expect(a.state()).toBe('backup');
    await lab.wait(4);
    a.tracking.setScript('web', false);
    expect(a.view()).toMatchObject({ state: 'fault', faults: ['script web failed'] });
    await lab.wait(0);
    expect(a.notified).toEqual(['VI_1 BACKUP 100', 'VI_1 MASTER 100', 'VI_1 FAULT 100']);
  });

  test('a first result that is bad is a fault, and is told; one that comes after the stop starts nothing', async () => {
    const tracks = [{ kind: 'script', name: 'web', weight: 0, isReversed: false }] as const;
    const a = await lab.start('a', 1, { routers: [routerWith({ tracks })] });
    const b = await lab.start('b', 2, { routers: [routerWith({ tracks })] });
    a.tracking.setScript('web', false);
    await lab.wait(0);
    expect([a.state(), a.notified]).toEqual(['fault', ['VI_1 FAULT 100']]);
    await b.stop();
    b.tracking.setScript('web', true);
    await lab.wait(10);
    expect(b.notified).toEqual([]);
  });

  test('a file moves the priority', async () => {
    const tracks = [{ kind: 'file', name: 'load', weight: 2, isReversed: false }] as const;
    const a = await lab.start('a', 1, { routers: [routerWith({ tracks })] });
    a.tracking.setFile('load', -20);
    expect(a.view().priority).toBe(60);
  });
});

describe('an address that somebody removes', () => {
  test('is added again and announced', async () => {
    const a = await master();
    await lab.wait(5);
    lab.take();
    const own = a.network.links()[0]?.addresses.filter(({ address }) => address !== vip) ?? [];
    a.network.addresses.length = 0;
    a.network.setLink({ name: 'eth0', addresses: own });
    await lab.wait(0);
    expect(lab.take()).toEqual([`a: add ${vip}`, ...Array(5).fill('a: announce')]);
    expect(a.view().counters.reports['put-back']).toBe(1);
  });

  test('one that can’t be added is said once and tried again', async () => {
    const a = await lab.start('a', 1, { routers: [routerWith()] });
    a.network.failures.set('addAddress', new DirectorError('IO', 'no buffer space'));
    await lab.wait(10);
    expect(a.view()).toMatchObject({ state: 'master', hasAddresses: false });
    const said = () =>
      a.logged.filter((line) => line.startsWith(`can't add ${vip}/32 on eth0: no buffer space`));
    expect(said()).toHaveLength(1);
    a.network.failures.clear();
    await lab.wait(6);
    expect(a.addresses()).toEqual([vip]);
    expect(a.view().hasAddresses).toBe(true);
  });
});

describe('use_vmac', () => {
  const mac = '00:00:5e:00:01:33';
  const withMac = (more = {}) => routerWith({ virtualMacDevice: 'uvs.51', virtualMac: mac, ...more });

  test('the device is made first; adverts leave by it, and addresses are on it', async () => {
    const a = await lab.start('a', 1, { routers: [withMac({ priority: 150 })] });
    expect(a.network.links().find(({ name }) => name === 'uvs.51')).toMatchObject({ mac, isUp: true });
    const b = await lab.start('b', 2, { routers: [withMac({ priority: 100 })] });
    await lab.wait(5);
    expect(lab.wire.adverts.at(-1)).toMatchObject({ device: 'uvs.51', source: '10.0.0.1' });
    expect(a.network.addresses).toMatchObject([{ address: vip, device: 'uvs.51' }]);
    expect(b.view().master?.address).toBe('10.0.0.1');
    // Both answer with one MAC: that is no second holder.
    expect(a.view().counters.reports).toEqual({});
  });

  test('IPv6: adverts come from the parent’s link-local address, and the device gets none', async () => {
    const delivery = { kind: 'multicast', group: ip('ff02::12') } as const;
    const routers = [withMac({ family: 6, version: 3, delivery, addresses: [prefix('fd00::100/64')] })];
    const a = await master({ routers });
    expect(a.network.addresses.map(({ address, device }) => `${address} ${device}`)).toEqual([
      'fd00::100 uvs.51',
    ]);
    expect(lab.wire.adverts.at(-1)).toMatchObject({ device: 'uvs.51', source: 'fe80::1' });
    // Who else holds it is asked from where there is an address to ask from: what `::` asks is answered to all nodes.
    const questions = a.network.sentFrames.filter(({ frame }) => frame[54] === 135);
    expect(
      questions.map(({ device, frame }) => [device, Buffer.from(frame.slice(22, 38)).toString('hex')]),
    ).toEqual([['eth0', 'fe800000000000000000000000000001']]);
  });

  test('unicast adverts leave by the device itself', async () => {
    const peers = [{ address: ip('10.0.0.2'), minTtl: 0, maxTtl: 255 }];
    await master({
      routers: [withMac({ delivery: { kind: 'unicast', peers, checksSource: false, ttl: 255 } })],
    });
    expect(lab.wire.adverts.at(-1)?.device).toBe('eth0');
  });

  test('one that can’t be made is a fault, said once, and tried again', async () => {
    const a = lab.create('a', 1, { routers: [withMac()] });
    a.network.failures.set('addVirtualMac', new DirectorError('IO', 'no macvlan here'));
    await a.director.start();
    await lab.wait(11);
    expect(a.view().faults).toEqual(['there is no interface uvs.51']);
    expect(a.view().counters.reports).toEqual({ 'device-failed': 1 });
    a.network.failures.clear();
    await lab.wait(5);
    expect(a.state()).toBe('backup');
  });

  test('its parent vanishes and returns: the device is made anew', async () => {
    const a = await master({ routers: [withMac()] });
    const own = a.network.links().find(({ name }) => name === 'eth0');
    a.network.removeLink('eth0');
    await lab.wait(1);
    expect(a.view().faults).toEqual(['there is no interface eth0']);
    a.network.setLink({ name: 'eth0', addresses: own?.addresses ?? [] });
    await lab.wait(5);
    expect(a.state()).toBe('master');
    expect(a.network.addresses).toMatchObject([{ address: vip, device: 'uvs.51' }]);
  });

  const setDown = (a: FailoverDirector) =>
    a.network.setLink({ name: 'uvs.51', isUp: false, isSetDown: true });
  const isUp = (a: FailoverDirector) => a.network.links().find(({ name }) => name === 'uvs.51')?.isUp;

  test.each([
    ['master', 150],
    ['backup', 50],
  ])(
    'one that somebody sets down is put up again, and told of: a %s stays what it is',
    async (state, priority) => {
      await lab.start('b', 2, { routers: [withMac({ priority: 100 })] });
      const a = await lab.start('a', 1, { routers: [withMac({ priority })] });
      await lab.wait(5);
      const { length } = a.director.virtualRouters().timeline;
      setDown(a);
      await lab.wait(5);
      expect([isUp(a), a.state(), a.view().counters.reports['put-back']]).toEqual([true, state, 1]);
      expect(a.director.virtualRouters().timeline).toHaveLength(length);
    },
  );

  test('whoever sets it down again and again wins, for a minute: the peer takes over', async () => {
    const a = await lab.start('a', 1, { routers: [withMac({ priority: 150 })] });
    const b = await lab.start('b', 2, { routers: [withMac({ priority: 100 })] });
    await lab.wait(5);
    for (let i = 0; i < 12; i++) {
      setDown(a);
      await lab.wait(1);
    }
    expect(a.view()).toMatchObject({ state: 'fault', faults: ['interface uvs.51 is down'] });
    await lab.wait(3);
    expect(lab.holdersOf(vip)).toEqual(['b']);
    await lab.wait(70);
    expect([isUp(a), a.state(), b.state()]).toEqual([true, 'master', 'backup']);
  });

  test('one that can’t be put up keeps a backup from taking over, and a master from staying one', async () => {
    const a = await master({ routers: [withMac()] });
    a.network.failures.set('addVirtualMac', new DirectorError('IO', 'not now'));
    setDown(a);
    await lab.wait(10);
    expect(a.view()).toMatchObject({ state: 'fault', faults: ['interface uvs.51 is down'] });
    a.network.failures.clear();
    await lab.wait(10);
    expect(a.state()).toBe('master');
  });

  test('many are made one after another, while each says that links have changed: no fault is told', async () => {
    const routers = [51, 52, 53].map((id) =>
      withMac({
        name: `VI_${id}`,
        virtualRouterId: id,
        virtualMacDevice: `uvs.${id}`,
        virtualMac: `00:00:5e:00:01:${id.toString(16)}`,
      }),
    );
    const a = lab.create('a', 1, { routers });
    const add = a.network.addVirtualMac.bind(a.network);
    a.network.addVirtualMac = async (...device) => {
      for (let turns = 0; turns < 3; turns++) await new Promise<void>((done) => void lab.clock.soon(done));
      await add(...device);
    };
    const started = a.director.start();
    await lab.wait(4);
    await started;
    expect(a.notified.filter((line) => line.includes('FAULT'))).toEqual([]);
    expect(routers.map(({ name }) => a.state(name))).toEqual(['master', 'master', 'master']);
  });

  test('two that exchange their names keep their addresses', async () => {
    const named = (first: string, second: string) => [
      withMac({ virtualMacDevice: first }),
      withMac({
        name: 'VI_2',
        virtualRouterId: 52,
        virtualMac: '00:00:5e:00:01:34',
        virtualMacDevice: second,
        addresses: [prefix('10.0.0.102')],
      }),
    ];
    const a = await master({ routers: named('left', 'right') });
    await a.reload({ routers: named('right', 'left') });
    await lab.wait(4);
    const places = a.network.addresses.map(({ address, device }) => `${address} ${device}`);
    expect(places.sort()).toEqual([`${vip} right`, '10.0.0.102 left']);
    expect([a.state(), a.state('VI_2')]).toEqual(['master', 'master']);
    expect(
      a.network
        .links()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['eth0', 'left', 'right']);
  });

  test('a stop takes the device away', async () => {
    const a = await master({ routers: [withMac()] });
    await a.stop();
    expect(a.network.links().map(({ name }) => name)).toEqual(['eth0']);
  });
});

test('no guardian: failover goes on and says what that means', async () => {
  const a = lab.create('a', 1, { routers: [routerWith()] });
  a.network.entrust = async () => {
    throw new DirectorError('IO', 'the guardian is gone');
  };
  await a.director.start();
  await lab.wait(4);
  expect(a.addresses()).toEqual([vip]);
  expect(a.view().counters.reports).toEqual({ 'no-guardian': 1 });
});

test('routes come after the addresses and go before them', async () => {
  const route = {
    destination: { address: ip('10.77.0.0'), length: 24 },
    gateway: ip('10.0.0.2'),
    device: 'eth0',
    source: undefined,
    metric: undefined,
    table: undefined,
    kind: 'unicast' as const,
    scope: undefined,
    isOnLink: false,
  };
  const a = await master({ routers: [routerWith({ routes: [route] })] });
  expect(a.network.routes).toEqual([route]);
  expect(a.network.willOf('VI_1')?.routes).toEqual([route]);
  await a.stop();
  expect(a.network.routes).toEqual([]);
});

test('what the network warns of is said', async () => {
  const a = await master();
  a.network.emit({ kind: 'warning', message: 'the guardian is gone' });
  await lab.wait(0);
  expect(a.events).toContainEqual({ kind: 'warning', message: 'the guardian is gone' });
});
