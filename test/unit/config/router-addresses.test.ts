// virtual_ipaddress, virtual_ipaddress_excluded, virtual_routes, and what strict_mode makes of a virtual router.
import { describe, expect, test } from 'vitest';
import type { VirtualRouter } from '../../../src/model/virtual-router.js';
import { instance, parseText, routerOf, said } from '../../support/parse-config.js';

const saidOf = (lines: string, globals = '') =>
  said(parseText(`${instance(lines)}global_defs {\n${globals}\n}`));

describe('addresses', () => {
  test('options, a broadcast by its sign, and duplicates', () => {
    const lines = `virtual_ipaddress {
10.0.0.1/24 brd + dev eth1 scope link label eth1:7
10.0.0.1/24 dev eth1
fd00::1/64 dev eth1
}`;
    expect(saidOf(lines)).toEqual(['5:1 warning duplicate-address', '6:1 warning other-family']);
    const router = routerOf(lines);
    expect(router.addresses).toEqual([
      {
        address: '10.0.0.1',
        length: 24,
        device: 'eth1',
        broadcast: '10.0.0.255',
        scope: 'link',
        label: 'eth1:7',
      },
    ]);
    expect(router.excludedAddresses).toMatchObject([{ address: 'fd00::1', length: 64, device: 'eth1' }]);
  });

  test('the excluded ones may be of either family and decide nothing', () => {
    const lines = 'virtual_ipaddress_excluded {\nfd00::1\n10.0.0.1\n}';
    expect(routerOf(lines)).toMatchObject({ family: 4, version: 2, addresses: [] });
    expect(saidOf(lines)).toEqual([]);
  });

  test('without addresses the peers tell the family, then native_ipv6', () => {
    const none = 'no_virtual_ipaddress\n# virtual_ipaddress';
    expect(routerOf(`${none}\nunicast_peer { fd00::2 }`)).toMatchObject({ family: 6, version: 3 });
    expect(routerOf(`${none}\nnative_ipv6`).family).toBe(6);
    expect(routerOf(none).family).toBe(4);
    expect(saidOf(none)).toEqual([]);
    expect(saidOf('# virtual_ipaddress')).toEqual(['1:1 warning no-addresses']);
  });

  test('an advert holds 255 of them', () => {
    const many = Array.from({ length: 300 }, (_, i) => `10.0.${i >> 8}.${i & 255}`).join('\n');
    const lines = `virtual_ipaddress {\n${many}\n}`;
    const router = routerOf(lines);
    expect([router.addresses.length, router.excludedAddresses.length]).toEqual([255, 45]);
    expect(saidOf(lines)).toEqual(['259:1 warning no-effect']);
  });

  test('an address belongs to one virtual router and to no static_ipaddress', () => {
    const two = instance('', 'a', 1) + instance('', 'b', 2);
    expect(said(parseText(two))).toEqual(['6:1 warning duplicate-address']);
    const fixed = `${instance('')}static_ipaddress { 10.9.0.1/24 }`;
    expect(said(parseText(fixed))).toEqual(['1:1 warning duplicate-address']);
  });

  test('routes', () => {
    const lines = `virtual_routes {
src 10.0.0.1 to 10.1.0.0/16 via 10.0.0.254 dev eth1 metric 7 table 9
default via 10.0.0.254
10.2.0.0/16
10.3.0.0/16 dev eth2 table main no_track
0.0.0.0/0 gw 10.0.0.254 table 100
10.4.0.0/16 via 10.0.0.254 priority 3
blackhole 10.5.0.0/16
10.6.0.0/16 via 192.0.2.1 dev eth0 onlink scope global
}`;
    expect(saidOf(lines)).toEqual([]);
    const { routes, tracks } = routerOf(lines);
    const plain = { kind: 'unicast', scope: undefined, isOnLink: false };
    const usual = {
      ...plain,
      gateway: undefined,
      device: undefined,
      source: undefined,
      metric: undefined,
      table: undefined,
    };
    const anywhere = { address: '0.0.0.0', length: 0 };
    expect(routes).toEqual([
      {
        destination: { address: '10.1.0.0', length: 16 },
        gateway: '10.0.0.254',
        device: 'eth1',
        ...plain,
        source: '10.0.0.1',
        metric: 7,
        table: 9,
      },
      { ...usual, destination: anywhere, gateway: '10.0.0.254' },
      { ...usual, destination: { address: '10.2.0.0', length: 16 }, device: 'eth0' },
      { ...usual, destination: { address: '10.3.0.0', length: 16 }, device: 'eth2', table: 254 },
      { ...usual, destination: anywhere, gateway: '10.0.0.254', table: 100 },
      { ...usual, destination: { address: '10.4.0.0', length: 16 }, gateway: '10.0.0.254', metric: 3 },
      { ...usual, destination: { address: '10.5.0.0', length: 16 }, kind: 'blackhole' },
      {
        ...usual,
        destination: { address: '10.6.0.0', length: 16 },
        gateway: '192.0.2.1',
        device: 'eth0',
        isOnLink: true,
        scope: 'global',
      },
    ]);
    expect(tracks.map(({ name }) => name)).toEqual(['eth0', 'eth1']);
  });

  test.each([
    ['10.0.0.1/8', 'error invalid-mask'],
    ['10.0.0.0/8 vai 10.0.0.1', 'error invalid-value'],
    ['10.0.0.0/8 via fd00::1', 'error family-mismatch'],
    ['10.0.0.0/8 via', 'error missing-value'],
    ['via 10.0.0.1', 'error missing-value'],
    ['to nowhere', 'error invalid-address'],
    ['10.0.0.0/8 metric x', 'error invalid-value'],
    ['local 10.0.0.0/8', 'warning not-in-effect-yet'],
    ['10.0.0.0/8 scope here', 'error invalid-value'],
    ['10.0.0.0/8 via 10.0.0.1 or 10.0.0.2', 'warning not-in-effect-yet'],
    ['10.0.0.0/8 mtu 1400', 'warning not-in-effect-yet'],
    ['10.0.0.0/8 mtu lock 1400 metric 2', 'warning not-in-effect-yet'],
  ])('route %j', (line, expected) => {
    const [first] = saidOf(`virtual_routes {\n${line}\n}`);
    expect(first?.replace(/^\S+ /, '')).toBe(expected);
  });
});

describe('strict_mode', () => {
  test.each<readonly [string, readonly string[], Partial<VirtualRouter>]>([
    ['', [], { answersLowerPriority: false, acceptsTraffic: false }],
    ['priority 255', [], { acceptsTraffic: true }],
    ['preempt_delay 3', ['strict-mode'], { preemptDelay: 0 as never }],
    ['state MASTER\npriority 9', ['strict-mode'], { startState: 'backup' }],
    [
      'authentication {\nauth_type PASS\nauth_pass a\n}',
      ['strict-mode'],
      { authentication: { kind: 'none' } },
    ],
    ['unicast_peer { 10.0.0.2 }', ['strict-mode'], {}],
    ['virtual_ipaddress { fd00::1 }', ['strict-mode'], {}],
    ['virtual_ipaddress { fe80::1 }', [], {}],
    ['accept', ['strict-mode'], { acceptsTraffic: false }],
    ['version 3\naccept', [], { acceptsTraffic: true }],
  ])('%j', (lines, codes, expected) => {
    const all = `strict_mode\n${lines}`;
    expect(parseText(instance(all)).diagnostics.map(({ code }) => code)).toEqual(codes);
    expect(routerOf(all)).toMatchObject({ isStrict: true, ...expected });
    expect(routerOf(all).announce).toMatchObject({ repeat: 1, delay: 0, refresh: 0 });
  });

  test('no address at all is an error', () => {
    expect(saidOf('strict_mode\n# virtual_ipaddress')).toEqual(['3:1 error missing-setting']);
    expect(saidOf('# virtual_ipaddress', 'vrrp_strict')).toEqual(['1:1 error missing-setting']);
  });
});
