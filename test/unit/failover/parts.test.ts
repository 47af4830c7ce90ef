// The small parts of failover, each alone: what is told, remembered, counted as standing by, and called in which words.
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Link, Network } from '../../../src/dataplane/network.js';
import type { IpAddress } from '../../../src/model/address.js';
import { addMicros, micros, seconds } from '../../../src/model/units.js';
import { writeDump } from '../../../src/runtime/dumps/dump-file.js';
import { AdvertListeners } from '../../../src/runtime/failover/advert-listeners.js';
import { AdvertSender } from '../../../src/runtime/failover/advert-sender.js';
import { newCounters } from '../../../src/runtime/failover/counters.js';
import { groupState } from '../../../src/runtime/failover/group.js';
import { isIpv6Router } from '../../../src/runtime/failover/ipv6-router.js';
import { placementOf } from '../../../src/runtime/failover/placement.js';
import { ReportGate, reportPause } from '../../../src/runtime/failover/report-gate.js';
import { ServedAddresses } from '../../../src/runtime/failover/served-addresses.js';
import {
  lostAt,
  maxTransitions,
  Timeline,
  takeoverAllowance,
  takeoverEntry,
} from '../../../src/runtime/failover/timeline.js';
import { notifyWord } from '../../../src/runtime/scripts/notify-words.js';
import type { Cause } from '../../../src/vrrp/cause.js';
import { createInstance, type VrrpState } from '../../../src/vrrp/state.js';
import { failoverOf, routerWith } from '../../support/failover-director.js';
import { vip as prefix } from '../vrrp/fixtures.js';

const ip = (text: string) => text as IpAddress;

describe('what is told', () => {
  test('one of a code and router is written now and then, with the number that was kept back', () => {
    const gate = new ReportGate();
    const at = (after: number) => addMicros(seconds(100), micros(after));
    expect(gate.admit('VI_1', 'address-conflict', at(0))).toEqual({ isWritten: true, keptBack: 0 });
    expect(gate.admit('VI_1', 'address-conflict', at(reportPause - 1)).isWritten).toBe(false);
    expect(gate.admit('VI_1', 'address-conflict', at(reportPause - 1)).isWritten).toBe(false);
    expect(gate.admit('VI_2', 'address-conflict', at(5)).isWritten).toBe(true);
    expect(gate.admit('VI_1', 'stalled', at(5)).isWritten).toBe(true);
    expect(gate.admit('VI_1', 'address-conflict', at(reportPause))).toEqual({ isWritten: true, keptBack: 2 });
    expect(gate.admit('VI_1', 'address-conflict', at(2 * reportPause))).toEqual({
      isWritten: true,
      keptBack: 0,
    });
  });

  test('each split is news, but not each packet', () => {
    const gate = new ReportGate();
    expect(gate.admit('VI_1', 'second-master', seconds(1)).isWritten).toBe(true);
    expect(gate.admit('VI_1', 'second-master', seconds(3.9)).isWritten).toBe(false);
    expect(gate.admit('VI_1', 'second-master', seconds(4))).toEqual({ isWritten: true, keptBack: 1 });
  });

  test('what is forgotten is new', () => {
    const gate = new ReportGate();
    gate.admit('VI_1', 'stalled', seconds(1));
    gate.forget('VI_1');
    expect(gate.admit('VI_1', 'stalled', seconds(1)).isWritten).toBe(true);
  });
});

describe('timeline', () => {
  test('is bounded; the newest stay', () => {
    const timeline = new Timeline();
    for (let i = 0; i <= maxTransitions; i++) {
      timeline.add({ at: micros(i), router: 'VI_1', from: 'backup', to: 'master' }, { kind: 'owner' });
    }
    expect(timeline.entries).toHaveLength(maxTransitions);
    expect(timeline.entries[0]?.at).toBe(1);
  });

  const master = ip('10.0.0.2');
  test.each<[Cause, number | undefined]>([
    [{ kind: 'silence', silence: seconds(3), master }, 7],
    [{ kind: 'silence', silence: seconds(3), master: undefined }, undefined],
    [{ kind: 'released', by: master }, 9],
    [{ kind: 'preempted', master, priority: 50 }, undefined],
    [{ kind: 'owner' }, undefined],
  ])('%j: the master before was last known to live at %s s', (cause, at_s) => {
    expect(lostAt(cause, seconds(10), seconds(9))).toBe(at_s === undefined ? undefined : seconds(at_s));
  });

  test('a takeover is within its budget, or over it by what timers and addresses take', () => {
    const cause = { kind: 'released', by: master } as const;
    const members = [{ router: routerWith(), priority: 100 }];
    const entry = (took: number) => takeoverEntry(cause, micros(took), members, seconds(1));
    expect(entry(609_375 + takeoverAllowance)).toMatchObject({ budget: 609_375, isWithin: true });
    expect(entry(609_375 + takeoverAllowance + 1)?.isWithin).toBe(false);
    const slow = { router: routerWith({ advertInterval: seconds(4), version: 3 }), priority: 100 };
    const together = takeoverEntry(cause, micros(1), [...members, slow], seconds(1));
    expect(together?.budget).toBe(2_437_500);
    expect(takeoverEntry({ kind: 'owner' }, micros(1), members, seconds(1))).toBeUndefined();
  });
});

describe('served addresses', () => {
  test('an address stands by until one of its virtual routers forwards', () => {
    const served = new ServedAddresses();
    const shared = [prefix('10.0.0.100')];
    const second = routerWith({ name: 'VI_2', virtualRouterId: 52, addresses: shared });
    served.expect(failoverOf({ routers: [routerWith({ addresses: shared }), second] })).adopt();
    expect(served.isVirtual(ip('10.0.0.100'))).toBe(true);
    expect(served.isVirtual(ip('10.0.0.7'))).toBe(false);
    expect(served.isStandby(ip('10.0.0.7'))).toBe(false);
    expect(served.isStandby(ip('10.0.0.100'))).toBe(true);
    served.forward('VI_2', second, true);
    expect(served.isStandby(ip('10.0.0.100'))).toBe(false);
    // By what peers know it by, too: a reload may have given it another name.
    served.expect(failoverOf({ routers: [{ ...second, name: 'VI_9' }] })).adopt();
    expect(served.isStandby(ip('10.0.0.100'))).toBe(false);
    // Two of one name, while it restarts.
    served.forward('VI_2 (2)', second, true);
    served.forward('VI_2', second, false);
    expect(served.isStandby(ip('10.0.0.100'))).toBe(false);
    served.forward('VI_2 (2)', second, false);
    expect(served.isStandby(ip('10.0.0.100'))).toBe(true);
  });

  test('no_accept closes the addresses while we forward for them; an owner always accepts', () => {
    const served = new ServedAddresses();
    const closed = { addresses: [prefix('10.0.0.100')], acceptsTraffic: false };
    const owned = { name: 'OWN', addresses: [prefix('10.0.0.200')], acceptsTraffic: false, priority: 255 };
    const routers = [
      routerWith({ ...closed, excludedAddresses: [prefix('10.0.0.101')] }),
      routerWith({ name: 'OPEN', virtualRouterId: 52, addresses: [prefix('10.0.0.150')] }),
      routerWith({ ...owned, virtualRouterId: 53 }),
    ];
    served.expect(failoverOf({ routers })).adopt();
    expect(served.closedAddresses()).toEqual([]);
    for (const router of routers) served.forward(router.name, router, true);
    expect(served.closedAddresses()).toEqual(['10.0.0.100', '10.0.0.101']);
    served.forward('VI_1', routers[0] ?? routerWith(), false);
    expect(served.closedAddresses()).toEqual([]);
  });
});

describe('words', () => {
  test.each([
    ['master', 'master', 'MASTER'],
    ['backup', 'backup', 'BACKUP'],
    ['fault', 'fault', 'FAULT'],
    ['stop', 'initialize', 'STOP'],
    ['master-rx-lower-priority', 'master', 'MASTER_RX_LOWER_PRI'],
    ['priority', 'master', 'MASTER_PRIORITY'],
    ['priority', 'releasing', 'MASTER_PRIORITY'],
    ['priority', 'backup', 'BACKUP_PRIORITY'],
    ['priority', 'fault', undefined],
    ['priority', 'initialize', undefined],
  ] as const)('%s in state %s: %s', (state, current, word) => {
    expect(notifyWord(state, current)).toBe(word);
  });

  test.each([
    [['master', 'master'], 'master'],
    [['master', 'releasing'], 'master'],
    [['backup', 'backup'], 'backup'],
    [['initialize', 'initialize'], 'stop'],
    [['backup', 'fault'], 'fault'],
    [['backup', 'master'], undefined],
    [['backup', 'initialize'], undefined],
    [[], undefined],
  ] as const)('a group of %j: %s', (kinds, expected) => {
    const state = createInstance(routerWith(), seconds(0));
    expect(groupState(kinds.map((kind) => ({ ...state, kind }) as VrrpState))).toBe(expected);
  });
});

describe('advert listeners', () => {
  const group = ip('224.0.0.18');
  const other = ip('224.0.0.19');

  function fake() {
    const calls: string[] = [];
    const network = {
      listenForAdverts: ({ device, family, groups }: Parameters<Network['listenForAdverts']>[0]) => {
        calls.push(`listen ${device} ${family} ${groups.join(' ')}`.trim());
      },
      stopListeningForAdverts: (device: string, family: number) => {
        calls.push(`stop ${device} ${family}`);
      },
    };
    return { calls, listeners: new AdvertListeners(network) };
  }

  test('one for a device and family; groups are joined as they are wanted', () => {
    const { calls, listeners } = fake();
    listeners.join('a', 'eth0', 2, 4, group);
    listeners.join('b', 'eth0', 2, 4, group);
    listeners.join('c', 'eth0', 2, 4, undefined);
    listeners.join('d', 'eth0', 2, 6, ip('ff02::12'));
    listeners.join('e', 'eth0', 2, 4, other);
    expect(calls).toEqual([
      'listen eth0 4 224.0.0.18',
      'listen eth0 6 ff02::12',
      'listen eth0 4 224.0.0.18 224.0.0.19',
    ]);
    expect(listeners.membersAt('eth0', 4)).toEqual(['a', 'b', 'c', 'e']);
    expect(listeners.membersAt('eth1', 4)).toEqual([]);
  });

  test('a device that came back with another index is heard anew', () => {
    const { calls, listeners } = fake();
    listeners.join('a', 'eth0', 2, 4, group);
    listeners.join('a', 'eth0', 2, 4, group);
    listeners.join('a', 'eth0', 7, 4, group);
    expect(calls).toEqual(['listen eth0 4 224.0.0.18', 'listen eth0 4 224.0.0.18']);
  });

  test('the last one that leaves closes it; whoever moves hears in one place only', () => {
    const { calls, listeners } = fake();
    listeners.join('a', 'eth0', 2, 4, group);
    listeners.join('b', 'eth0', 2, 4, group);
    listeners.join('a', 'eth1', 3, 4, group);
    expect(listeners.membersAt('eth0', 4)).toEqual(['b']);
    listeners.leave('b');
    listeners.leave('b');
    expect(calls.slice(-1)).toEqual(['stop eth0 4']);
  });

  test('one that failed is tried again', () => {
    let isBroken = true;
    const heard: string[] = [];
    const listeners = new AdvertListeners({
      listenForAdverts: ({ device }) => {
        if (isBroken) throw new Error('no');
        heard.push(device);
      },
      stopListeningForAdverts: () => {},
    });
    expect(() => listeners.join('a', 'eth0', 2, 4, group)).toThrow('no');
    isBroken = false;
    listeners.join('a', 'eth0', 2, 4, group);
    expect(heard).toEqual(['eth0']);
  });
});

describe('advert sender', () => {
  const place = { device: 'eth0', ifindex: 2, source: ip('10.0.0.1') };

  function fake() {
    const calls: string[] = [];
    let failure: string | undefined;
    const network: Pick<Network, 'open' | 'close' | 'advertise'> = {
      open: ({ router, device, source, ttl }) => {
        calls.push(`open ${router} ${device} ${source} ${ttl}`);
      },
      close: (router) => {
        calls.push(`close ${router}`);
      },
      advertise: (_, messages, repetition) => {
        const said = messages.map(({ bytes }) => bytes[2]).join(' ');
        const lease =
          repetition === undefined ? 'once' : `every ${repetition.interval} for ${repetition.lease}`;
        calls.push(`say ${said || 'nothing'} ${lease}`);
        return failure;
      },
    };
    const counters = newCounters();
    const sender = new AdvertSender(network, 'VI_1', counters);
    const fail = (text: string | undefined) => {
      failure = text;
    };
    return { calls, counters, sender, fail };
  }

  test('is opened where something is new, and closed', () => {
    const { calls, sender } = fake();
    const router = routerWith();
    expect(sender.source).toBeUndefined();
    expect(sender.open(router, place)).toBe(true);
    expect(sender.open(router, place)).toBe(false);
    expect(sender.open(router, { ...place, ifindex: 3 })).toBe(true);
    expect(sender.open(router, { ...place, source: ip('10.0.0.2') })).toBe(true);
    expect(sender.source).toBe('10.0.0.2');
    sender.close();
    expect(sender.source).toBeUndefined();
    expect(calls).toHaveLength(4);
  });

  test('the repeater is armed by a master, and silenced once', () => {
    const { calls, sender } = fake();
    const router = routerWith();
    sender.open(router, place);
    sender.stopRepeating();
    sender.send(router, 100, true);
    sender.stopRepeating();
    sender.stopRepeating();
    sender.send(router, 0, true);
    sender.stopRepeating();
    sender.send(router, 100, false);
    expect(calls.slice(1)).toEqual([
      'say 100 every 1000000 for 4000000',
      'say nothing once',
      'say 0 once',
      'say 100 once',
    ]);
  });

  test('counts what it says, and what it could not say', () => {
    const { counters, sender, fail } = fake();
    const router = routerWith();
    expect(sender.send(router, 100, true)).toBe('there is nowhere to send from');
    sender.open(router, place);
    expect(sender.send(router, 0, false)).toBeUndefined();
    fail('Network is down');
    expect(sender.send(router, 100, true)).toBe('Network is down');
    expect(counters).toMatchObject({ sent: 1, sendFailures: 2, priorityZeroSent: 1 });
    expect(sender.goodbye(router)[0]?.bytes[2]).toBe(0);
  });
});

describe('placement', () => {
  const link = (name: string, more: Partial<Link> = {}): Link => ({
    name,
    ifindex: 2,
    mac: '02:00:00:00:00:01',
    isUp: true,
    mtu: 1500,
    addresses: [
      { address: ip('10.0.0.100'), length: 32 },
      { address: ip('10.0.0.1'), length: 24 },
      { address: ip('fd00::1'), length: 64 },
      { address: ip('fe80::1'), length: 64 },
    ],
    ...more,
  });
  const isVirtual = (address: IpAddress) => address === '10.0.0.100';
  const at = (router: Parameters<typeof placementOf>[0], ...links: Link[]) =>
    placementOf(router, links, isVirtual);

  test('the first address of its own, of its family', () => {
    expect(at(routerWith(), link('eth0'))).toMatchObject({
      kind: 'ready',
      device: 'eth0',
      source: '10.0.0.1',
    });
    expect(at(routerWith({ family: 6 }), link('eth0'))).toMatchObject({ source: 'fe80::1' });
  });

  test('IPv6 unicast comes from an address of its peers’ scope, the nearest first', () => {
    const to = (...addresses: string[]) => {
      const peers = addresses.map((address) => ({ address: ip(address), minTtl: 255, maxTtl: 255 }));
      const delivery = { kind: 'unicast' as const, peers, checksSource: false, ttl: 255 };
      const addressesOfDevice = ['fd00::1', '2001:db8:1::1', 'fe80::1'].map((one) => ({
        address: ip(one),
        length: 64,
      }));
      return at(routerWith({ family: 6, delivery }), link('eth0', { addresses: addressesOfDevice }));
    };
    expect(to('2001:db8:2::1')).toMatchObject({ source: '2001:db8:1::1' });
    expect(to('fe80::2', 'fd00:1::1')).toMatchObject({ source: 'fd00::1' });
    expect(to('fe80::2')).toMatchObject({ source: 'fe80::1' });
  });

  test('no unicast peer is no place to speak', () => {
    const delivery = { kind: 'unicast' as const, peers: [], checksSource: false, ttl: 255 };
    expect(at(routerWith({ delivery }), link('eth0'))).toMatchObject({
      kind: 'fault',
      reason: 'unicast_peer names nobody',
    });
  });

  test('one that is down is a place all the same: whether that is a fault is a matter of tracks', () => {
    expect(at(routerWith(), link('eth0', { isUp: false }))).toMatchObject({ kind: 'ready' });
  });

  test('a configured source may be on another device, unless it is link-local', () => {
    const source = ip('10.9.0.1');
    const lo = link('lo', { addresses: [{ address: source, length: 32 }] });
    expect(at(routerWith({ source }), link('eth0'), lo)).toMatchObject({ kind: 'ready', source });
    const local = ip('fe80::9');
    const eth1 = link('eth1', { addresses: [{ address: local, length: 64 }] });
    expect(at(routerWith({ family: 6, source: local }), link('eth0'), eth1).kind).toBe('fault');
  });

  test.each([
    ['there is no interface eth0', 'gone', [] as Link[]],
    ['interface eth0 is down', 'gone', [link('eth0', { isUp: false, addresses: [] })]],
    ['interface eth0 has no IPv4 address of its own', 'gone', [link('eth0', { addresses: [] })]],
  ])('%s', (reason, lack, links) => {
    expect(at(routerWith(), ...links)).toEqual({ kind: 'fault', reason, lack });
  });

  test('a virtual MAC’s device with another MAC or on another device must be made, and one that is down put up', () => {
    const router = routerWith({ virtualMacDevice: 'uvs.51', virtualMac: '00:00:5e:00:01:33' });
    const mac = '00:00:5e:00:01:33';
    const own = link('uvs.51', { ifindex: 9, mac, parent: 'eth0', addresses: [] });
    expect(at(router, link('eth0'), link('uvs.51'))).toMatchObject({ lack: 'unmade' });
    expect(at(router, link('eth0'), { ...own, parent: 'eth1' })).toMatchObject({ lack: 'unmade' });
    expect(at(router, link('eth0'), { ...own, isSetDown: true })).toMatchObject({ lack: 'down' });
    expect(at(router, link('eth0'), own)).toMatchObject({
      kind: 'ready',
      device: 'uvs.51',
      ifindex: 9,
      listener: { device: 'eth0' },
    });
  });
});

describe('dump files', () => {
  test('are written beside what is there, and moved into place', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'uvs-dump-'));
    const path = join(folder, 'keepalived.data');
    await writeDump(path, 'one');
    await writeDump(path, 'two');
    expect(readFileSync(path, 'utf8')).toBe('two');
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['keepalived.data']);
    rmSync(folder, { recursive: true });
  });

  test('what can’t be written leaves nothing', async () => {
    await expect(writeDump('/nonexistent/folder/data', 'x')).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/^can't write \/nonexistent\/folder\/data: ENOENT/),
    });
    const folder = mkdtempSync(join(tmpdir(), 'uvs-dump-'));
    await expect(writeDump(folder, 'x')).rejects.toMatchObject({ code: 'IO' });
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    await expect(writeDump(fifo, 'x')).rejects.toMatchObject({
      message: `can't write ${fifo}: it is a FIFO, and only regular files are replaced`,
    });
    expect(
      readdirSync(join(folder, '..')).filter((name) => name.startsWith(`${folder.split('/').at(-1)}.`)),
    ).toEqual([]);
    rmSync(folder, { recursive: true });
  });
});

test('a device that is not there is no IPv6 router', () => {
  expect(isIpv6Router('nonexistent0')).toBe(false);
});
