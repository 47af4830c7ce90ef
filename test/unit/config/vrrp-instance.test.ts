// vrrp_instance { }: what each keyword makes of the virtual router, its defaults, and what is said of contradictions.
import { describe, expect, test } from 'vitest';
import { type VirtualRouter, virtualRouterDefaults } from '../../../src/model/virtual-router.js';
import { configOf, instance, parseText, routerOf, said } from '../../support/parse-config.js';

const saidOf = (lines: string, globals = '') =>
  said(parseText(`${instance(lines)}global_defs {\n${globals}\n}`));
const messagesOf = (lines: string) =>
  parseText(instance(lines)).diagnostics.map(({ message, help }) => `${message} | ${help}`);

test('an ordinary instance', () => {
  const text = `vrrp_instance web {
    state MASTER
    interface ens33
    virtual_router_id 71
    priority 150
    advert_int 2
    authentication {
        auth_type PASS
        auth_pass abcd
    }
    virtual_ipaddress {
        198.18.8.172
        198.18.8.173/24 dev eth1 label eth1:1
    }
}`;
  const { routers } = configOf(text).failover;
  expect(parseText(text).diagnostics).toEqual([]);
  expect(routers).toMatchObject([
    {
      origin: { line: 1, column: 1 },
      router: {
        name: 'web',
        device: 'ens33',
        family: 4,
        version: 2,
        virtualRouterId: 71,
        startState: 'master',
        priority: 150,
        advertInterval: 2_000_000,
        authentication: { kind: 'simple', password: 'abcd' },
        delivery: { kind: 'multicast', group: '224.0.0.18' },
        addresses: [
          { address: '198.18.8.172', length: 32, device: undefined },
          { address: '198.18.8.173', length: 24, device: 'eth1', label: 'eth1:1' },
        ],
        tracks: [
          { kind: 'interface', name: 'ens33', weight: 0, isReversed: false },
          { kind: 'interface', name: 'eth1', weight: 0, isReversed: false },
        ],
        advertLease: 4_000_000,
        releaseBudget: 5_000_000,
      },
    },
  ]);
});

test('an instance that says nothing has the defaults', () => {
  const { tracks, ...usual } = virtualRouterDefaults;
  expect(routerOf('')).toMatchObject({
    ...usual,
    device: 'eth0',
    delivery: { kind: 'multicast', group: '224.0.0.18' },
    tracks: [{ kind: 'interface', name: 'eth0', weight: 0, isReversed: false }],
  });
  expect(tracks).toEqual([]);
});

describe('a keyword and what it makes', () => {
  test.each<readonly [string, Partial<VirtualRouter>]>([
    ['interface eth7', { device: 'eth7' }],
    ['state BACKUP', { startState: 'backup' }],
    ['priority 255', { priority: 255 }],
    ['version 3', { version: 3 }],
    ['version 3\nadvert_int 0.01', { advertInterval: 10_000 as never }],
    ['version 3\nadvert_int 40.95', { advertInterval: 40_950_000 as never }],
    ['advert_int 255', { advertInterval: 255_000_000 as never }],
    ['down_timer_adverts 5', { downTimerAdverts: 5 }],
    ['nopreempt', { preempt: false }],
    ['nopreempt\npreempt', { preempt: true }],
    ['preempt\nnopreempt', { preempt: false }],
    ['preempt_delay 1.5', { preemptDelay: 1_500_000 as never }],
    ['no_accept', { acceptsTraffic: false }],
    ['no_accept\naccept', { acceptsTraffic: true }],
    ['lower_prio_no_advert', { answersLowerPriority: false }],
    ['higher_prio_send_advert no', { answersHigherPriority: false }],
    ['owner_ignore_adverts', { ownerIgnoresAdverts: true }],
    ['skip_check_adv_addr', { skipsKnownAddressCheck: true }],
    ['v3_checksum_as_v2', { checksum: 'message' }],
    ['mcast_src_ip 10.0.0.5', { source: '10.0.0.5' as never }],
    ['mcast_dst_ip 239.1.2.3', { delivery: { kind: 'multicast', group: '239.1.2.3' as never } }],
    ['use_vmac', { virtualMacDevice: 'uvs.51', virtualMac: '00:00:5e:00:01:33' }],
    ['use_vmac v', { virtualMacDevice: 'v', virtualMac: '00:00:5e:00:01:33' }],
    ['use_vmac v 02:00:00:00:00:0A', { virtualMacDevice: 'v', virtualMac: '02:00:00:00:00:0a' }],
    ['dont_track_primary', { tracks: [] }],
  ])('%j', (lines, expected) => {
    expect(routerOf(lines)).toMatchObject(expected);
    expect(saidOf(lines)).toEqual([]);
  });

  test('IPv6: version 3, its group, its MAC', () => {
    const lines = 'use_vmac\nvirtual_ipaddress { fe80::1/64 }';
    expect(routerOf(lines)).toMatchObject({
      family: 6,
      version: 3,
      delivery: { group: 'ff02::12' },
      virtualMac: '00:00:5e:00:02:33',
      addresses: [{ address: 'fe80::1', length: 64 }],
    });
    expect(saidOf(lines)).toEqual([]);
  });

  test('all garp_ settings', () => {
    const lines =
      'garp_master_repeat 1\ngarp_master_delay 2\ngarp_master_refresh 3\ngarp_master_refresh_repeat 4\n' +
      'garp_lower_prio_repeat 5\ngarp_lower_prio_delay 6\ngarp_extra_if all 7';
    expect(routerOf(lines).announce).toEqual({
      repeat: 1,
      delay: 2_000_000,
      refresh: 3_000_000,
      isRefreshWritten: true,
      refreshRepeat: 4,
      lowerPriorityRepeat: 5,
      lowerPriorityDelay: 6_000_000,
      extra: 7_000_000,
      extraDevices: 'all',
    });
    const extra = (lines: string, global: string) => {
      const { announce } = routerOf(lines, global);
      return `${announce.extraDevices} ${announce.extra / 1e6}`;
    };
    expect(extra('', 'vrrp_garp_extra_if 60')).toBe('virtual-mac 60');
    expect(extra('garp_extra_if 0', 'vrrp_vmac_garp_intvl all 60')).toBe('virtual-mac 0');
    expect(saidOf('garp_extra_if eth1')).toEqual(['3:15 error invalid-value']);
    expect(saidOf('garp_extra_if all')).toEqual(['3:1 error missing-value']);
    expect(saidOf('garp_extra_if all 86401')).toEqual(['3:19 error out-of-range']);
    expect(saidOf('garp_extra_if 5 all')).toEqual(['3:17 warning extra-words']);
  });

  test('unicast_fault_no_peer: peers may be named later', () => {
    const lines = 'unicast_fault_no_peer\nunicast_peer {\n}';
    expect(saidOf(lines)).toEqual([]);
    expect(routerOf(lines).delivery).toMatchObject({ kind: 'unicast', peers: [] });
    expect(routerOf('unicast_fault_no_peer').delivery).toMatchObject({ kind: 'unicast', peers: [] });
    expect(saidOf('unicast_peer {\n}')).toEqual(['3:1 error missing-value']);
    // The same list on all directors.
    const own = 'unicast_src_ip 10.0.0.2\nunicast_peer {\n10.0.0.2\n10.0.0.3\n}';
    expect(routerOf(own).delivery).toMatchObject({ peers: [{ address: '10.0.0.3' }] });
    expect(saidOf(own)).toEqual(['5:1 notice as-keepalived']);
    expect(saidOf(own.replace('10.0.0.3\n', ''))).toEqual([
      '4:1 error missing-value',
      '5:1 notice as-keepalived',
    ]);
  });

  test('unicast peers', () => {
    const lines =
      'unicast_src_ip 10.0.0.1\nunicast_peer {\n10.0.0.2\n10.0.0.3 min_ttl 254 max_ttl 255\n}\n' +
      'unicast_ttl 64\ncheck_unicast_src';
    expect(saidOf(lines)).toEqual([]);
    expect(routerOf(lines)).toMatchObject({
      source: '10.0.0.1',
      delivery: {
        kind: 'unicast',
        checksSource: true,
        ttl: 64,
        peers: [
          { address: '10.0.0.2', minTtl: 0, maxTtl: 255 },
          { address: '10.0.0.3', minTtl: 254, maxTtl: 255 },
        ],
      },
    });
  });

  test('limits of the TTL switch the check of the source on', () => {
    const checks = (lines: string) => {
      const found = routerOf(lines).delivery;
      return found.kind === 'unicast' && found.checksSource;
    };
    expect(checks('unicast_peer { 10.0.0.2 }')).toBe(false);
    expect(checks('unicast_peer { 10.0.0.2 min_ttl 255 }')).toBe(true);
  });

  test('notify scripts with arguments, quotes and accounts', () => {
    const lines = `notify_master "/bin/a 'b c' d" web
notify_backup /bin/b
notify_fault "/bin/c" u g
notify_stop "/bin/d"
notify_deleted "/bin/e"
notify_master_rx_lower_pri "/bin/f"
notify "/bin/g \\"x y\\""
notify_priority_changes`;
    const [first] = configOf(instance(lines)).failover.routers;
    const command = (words: string[], account?: object) => ({ words, account });
    expect(first?.notify).toEqual({
      master: command(['/bin/a', 'b c', 'd'], { user: 'web', group: undefined }),
      backup: command(['/bin/b']),
      fault: command(['/bin/c'], { user: 'u', group: 'g' }),
      stop: command(['/bin/d']),
      deleted: command(['/bin/e']),
      masterRxLowerPriority: command(['/bin/f']),
      any: command(['/bin/g', 'x y']),
      notifiesPriority: true,
    });
  });

  test('global_defs sets the defaults, the instance has the last word', () => {
    const globals = `vrrp_version 3
vrrp_mcast_group4 239.0.0.1
vrrp_check_unicast_src
vrrp_skip_check_adv_addr
vrrp_lower_prio_no_advert
vrrp_higher_prio_send_advert no
vrrp_owner_ignore_adverts
v3_checksum_as_v2
vrrp_down_timer_adverts 7
vrrp_startup_delay 2.5
vrrp_notify_priority_changes
default_interface eth9
vmac_prefix pre`;
    expect(routerOf('use_vmac', globals)).toMatchObject({
      device: 'eth9',
      version: 3,
      delivery: { group: '239.0.0.1' },
      skipsKnownAddressCheck: true,
      answersLowerPriority: false,
      answersHigherPriority: false,
      ownerIgnoresAdverts: true,
      checksum: 'message',
      downTimerAdverts: 7,
      startupDelay: 2_500_000,
      virtualMacDevice: 'pre.51',
    });
    expect(
      routerOf(
        'version 2\nlower_prio_no_advert no\ndown_timer_adverts 1\nunicast_peer { 10.0.0.2 }\nskip_check_adv_addr no',
        globals,
      ),
    ).toMatchObject({
      version: 2,
      answersLowerPriority: true,
      downTimerAdverts: 1,
      skipsKnownAddressCheck: false,
      delivery: { kind: 'unicast', checksSource: true },
    });
  });

  test('global garp settings: those for a losing master follow the others, vrrp_min_garp asks for least', () => {
    expect(routerOf('', 'vrrp_garp_master_repeat 2\nvrrp_garp_master_delay 3').announce).toMatchObject({
      repeat: 2,
      delay: 3_000_000,
      refresh: 60_000_000,
      lowerPriorityRepeat: 2,
      lowerPriorityDelay: 3_000_000,
    });
    expect(routerOf('', 'vrrp_min_garp\nvrrp_garp_master_refresh 9').announce).toMatchObject({
      repeat: 1,
      delay: 0,
      refresh: 9_000_000,
      lowerPriorityRepeat: 1,
      lowerPriorityDelay: 0,
    });
  });
});

describe('tracks of devices', () => {
  const tracks = (lines: string) =>
    routerOf(lines).tracks.map(
      ({ name, weight, isReversed }) => `${name} ${weight}${isReversed ? ' r' : ''}`,
    );

  test('the own device and those of addresses are tracked by themselves', () => {
    expect(tracks('virtual_ipaddress {\n10.0.0.1 dev eth1\n10.0.0.2 dev eth2 no_track\n}')).toEqual([
      'eth0 0',
      'eth1 0',
    ]);
    expect(tracks('track_interface {\neth1 weight -5 reverse\neth2\n}')).toEqual([
      'eth0 0',
      'eth1 -5 r',
      'eth2 0',
    ]);
    expect(tracks('virtual_ipaddress { 10.0.0.1 dev eth1 }\ntrack_interface { eth1 weight 9 }')).toEqual([
      'eth0 0',
      'eth1 9',
    ]);
  });

  test('the own device has no weight but with dont_track_primary', () => {
    expect(saidOf('track_interface { eth0 weight 9 }')).toEqual(['3:19 warning no-effect']);
    expect(tracks('track_interface { eth0 weight 9 }')).toEqual(['eth0 0']);
    expect(saidOf('track_interface { eth0 }')).toEqual([]);
    expect(tracks('dont_track_primary\ntrack_interface { eth0 weight 9 }')).toEqual(['eth0 9']);
  });

  test('what is tracked twice is said', () => {
    expect(saidOf('track_interface {\neth1\neth1 weight 3\n}')).toEqual(['5:1 warning no-effect']);
  });
});

describe('what is said', () => {
  test.each([
    ['advert_int 1.5', '3:12 error invalid-interval'],
    ['version 3\nadvert_int 41', '4:12 error invalid-interval'],
    ['version 3\nadvert_int 0.055', '4:12 notice interval-rounded'],
    ['advert_int 256', '3:12 error out-of-range'],
    ['interface a_very_very_long_name', '3:11 error invalid-value'],
    ['use_vmac a_very_very_long_name', '3:10 error invalid-value'],
    ['use_vmac eth0', '3:10 warning value-replaced'],
    ['use_vmac lo', '3:10 warning value-replaced'],
    ['use_vmac v 01:00:5e:00:00:01', '3:12 error invalid-value'],
    ['mcast_dst_ip 10.0.0.1', '3:14 error invalid-address'],
    ['mcast_dst_ip ff02::12', '3:14 error family-mismatch'],
    ['mcast_src_ip fd00::1', '3:14 error family-mismatch'],
    ['unicast_peer { fd00::1 }', '3:16 error family-mismatch'],
    ['unicast_peer {\n}', '3:1 error missing-value'],
    ['unicast_peer { 10.0.0.2 min_ttl 9 max_ttl 3 }', '3:16 error invalid-value'],
    ['unicast_peer {\n10.0.0.2\n10.0.0.2\n}', '5:1 warning duplicate-address'],
    ['unicast_src_ip 10.0.0.1', '3:1 warning no-effect'],
    ['version 2\nvirtual_ipaddress { fe80::1 }', '3:1 warning no-effect'],
    ['state MASTER', '1:1 notice default-taken'],
    ['state MASTER\npriority 9\nnopreempt', '5:1 warning nopreempt-master'],
    ['state MASTER\npriority 9\npreempt_delay 3', '5:1 warning no-effect'],
    ['nopreempt\npreempt_delay 3', '4:1 warning no-effect'],
    ['priority 255\nnopreempt', '4:1 warning no-effect'],
    ['track_script { nobody }', '3:16 warning unknown-name'],
    ['track_file { nobody }', '3:14 warning unknown-name'],
    ['nopreempt off', '3:11 notice as-keepalived'],
    ['state SLAVE', '3:7 warning value-replaced'],
    ['unicast_src_ip 10.0.0.1/24\nunicast_peer { 10.0.0.2 }', '3:16 notice as-keepalived'],
    ['lvs_sync_daemon_inteface eth1', '3:1 warning no-effect'],
    ['advert_int 1 // second\nnopreempt // stay', '3:14 warning slash-ignored'],
    ['track_interface // a {\n}', '3:17 error slash-comment'],
    ['virtual_ipaddress { 10.0.0.1 label a_very_very_long_label }', '3:36 error invalid-value'],
    ['virtual_ipaddress { 10.0.0.1 brd fd00::1 }', '3:34 error family-mismatch'],
    ['notify_master "/bin/true"', '3:1 warning no-script-user'],
    ['notify_master ""', '3:15 error invalid-value'],
    [`notify_master "''"`, '3:15 error invalid-value'],
  ])('%j', (lines, expected) => {
    expect(saidOf(lines)).toEqual([expected]);
  });

  test('as keepalived, MASTER and owners preempt at once', () => {
    expect(routerOf('state MASTER\npriority 9\nnopreempt\npreempt_delay 3')).toMatchObject({
      preempt: true,
      preemptDelay: 0,
    });
    expect(routerOf('priority 255\nnopreempt\npreempt_delay 3')).toMatchObject({
      preempt: true,
      preemptDelay: 3_000_000,
    });
    expect(routerOf('nopreempt\npreempt_delay 3').preemptDelay).toBe(0);
    expect(routerOf('state MASTER').priority).toBe(255);
  });

  test('remedies are named', () => {
    expect(messagesOf('advert_int 0.5')[0]).toContain('write version 3');
    expect(messagesOf('version 3\nadvert_int 0.055')[0]).toContain('0.06 is taken');
    expect(routerOf('version 3\nadvert_int 0.055').advertInterval).toBe(60_000);
    expect(routerOf('version 3\nadvert_int 0.014').advertInterval).toBe(10_000);
  });

  test('passwords: eight bytes, version 2 alone, and not AH', () => {
    const pass = (word: string, more = '') =>
      `${more}\nauthentication {\nauth_type PASS\nauth_pass ${word}\n}`;
    expect(saidOf(pass('123456789'))).toEqual(['6:11 warning auth-cut']);
    expect(routerOf(pass('123456789')).authentication).toEqual({ kind: 'simple', password: '12345678' });
    // Eight bytes end within the third umlaut of two bytes each.
    expect(routerOf(pass('123äöü')).authentication).toEqual({ kind: 'simple', password: '123äö\udcc3' });
    expect(saidOf(pass('1234', 'version 3'))).toEqual(['4:1 warning auth-ignored']);
    expect(routerOf(pass('1234', 'version 3')).authentication).toEqual({ kind: 'none' });
    expect(saidOf('authentication {\nauth_type PASS\n}')).toEqual(['3:1 warning auth-ignored']);
    expect(saidOf('authentication {\nauth_pass a\n}')).toEqual(['3:1 warning auth-ignored']);
    expect(saidOf('authentication {\nauth_type AH\nauth_pass a\n}')).toEqual([
      '4:1 warning not-in-effect-yet',
    ]);
    expect(messagesOf('authentication {\nauth_type AH\nauth_pass a\n}')[0]).toContain('both would be master');
  });

  test('a VRID is needed, and one of its own on a wire', () => {
    expect(said(parseText('vrrp_instance a {\n}'))).toEqual(['1:1 error missing-setting']);
    const second = (more: string, addresses = '10.9.0.2') =>
      instance(`${more}\nvirtual_ipaddress { ${addresses} }`, 'b');
    const saidOfBoth = (more: string, addresses?: string) =>
      said(parseText(instance('') + second(more, addresses)));
    expect(saidOfBoth('')).toEqual(['6:1 error duplicate-router']);
    expect(saidOfBoth('interface eth1')).toEqual([]);
    expect(saidOfBoth('', 'fe80::1')).toEqual([]);
  });

  test('names are unique, of instances and of virtual MAC devices', () => {
    expect(said(parseText(instance('') + instance('', 'a', 52)))).toEqual(['6:15 error duplicate-name']);
    const other = (lines: string) => instance(`${lines}\nvirtual_ipaddress { fe80::1 }`, 'b');
    expect(said(parseText(instance('use_vmac v') + other('use_vmac v')))).toEqual([
      '8:10 error duplicate-name',
    ]);
    const { routers } = configOf(instance('use_vmac') + other('use_vmac')).failover;
    expect(routers.map(({ router }) => router.virtualMacDevice)).toEqual(['uvs.51', 'uvs.51.2']);
    expect(routerOf('use_vmac eth0').virtualMacDevice).toBe('uvs.51');
  });

  test('what has no effect yet is named once', () => {
    const lines =
      'use_ipvlan\nvrf a\nsmtp_alert\ntrack_process { p }\ntrack_bfd { b }\nvmac_xmit_base\n' +
      'virtual_rules { from 10.0.0.1 table 1 }\nlvs_sync_daemon_interface eth0\nlinkbeat_use_polling\n' +
      'auth_hmac { key 1 ab }';
    const found = parseText(instance(lines) + instance(lines.replaceAll('10.0.0.1', '10.0.0.2'), 'b', 52));
    const named = found.diagnostics.filter(({ code }) => code === 'not-in-effect-yet');
    expect(named).toHaveLength(10);
    expect(named.every(({ message }) => message.endsWith('(and 1 more like it)'))).toBe(true);
    expect(saidOf('debug 2')).toEqual(['3:1 notice without-effect']);
  });
});
