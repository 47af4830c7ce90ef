// vrrp_script, track_file, vrrp_sync_group, and what global_defs says about scripts, FIFOs and dumps.
import { describe, expect, test } from 'vitest';
import { commandText, splitCommand } from '../../../src/config/command-line.js';
import { noFailover } from '../../../src/model/failover-config.js';
import { configOf, parseText, said } from '../../support/parse-config.js';

const instance = (name: string, id: number, lines = '') =>
  `vrrp_instance ${name} {\nvirtual_router_id ${id}\nvirtual_ipaddress { 10.0.0.${id} }\n${lines}\n}\n`;
const user = 'global_defs { script_user root }\n';
const failoverOf = (text: string) => configOf(user + text).failover;
const saidOf = (text: string) => said(parseText(user + text));

test('nothing of failover is nothing', () => {
  expect(configOf('').failover).toEqual(noFailover);
});

describe('garp_group', () => {
  test('pauses of devices and of groups of devices, beside those of all others', () => {
    const text = `global_defs { vrrp_garp_interval 0.5
vrrp_gna_interval 0.7
}
garp_group { garp_interval 0.1
interface eth0
}
garp_group {
gna_interval 0.2
interfaces { eth1
eth2
}
}`;
    expect(said(parseText(text))).toEqual([]);
    expect(configOf(text).failover.pacing).toEqual({
      arp: 500_000,
      na: 700_000,
      groups: [
        { arp: 100_000, na: 0, devices: ['eth0'] },
        { arp: 0, na: 200_000, devices: ['eth1', 'eth2'] },
      ],
    });
  });

  test('what says nothing is named and left out', () => {
    const text = `garp_group { interface eth0
}
garp_group { garp_interval 1
}
garp_group { garp_interval 1
interface eth0
}
garp_group { garp_interval 2
interface eth0
}`;
    expect(said(parseText(text))).toEqual([
      '1:1 warning no-effect',
      '3:1 warning no-effect',
      '9:11 warning no-effect',
    ]);
    expect(configOf(text).failover.pacing.groups).toEqual([{ arp: 1_000_000, na: 0, devices: ['eth0'] }]);
  });
});

describe('vrrp_script', () => {
  const tracked = instance('a', 1, 'track_script { s }');

  test('in full, and by default', () => {
    const text = `vrrp_script s {
script "/bin/check 'a b' c"
interval 0.5
timeout 3
weight -20
rise 2
fall 3
user web group
init_fail
}\n`;
    expect(failoverOf(text + tracked).scripts).toEqual([
      {
        name: 's',
        command: ['/bin/check', 'a b', 'c'],
        interval: 500_000,
        timeout: 3_000_000,
        rise: 2,
        fall: 3,
        failsAtStart: true,
        account: { user: 'web', group: 'group' },
      },
    ]);
    expect(failoverOf(`vrrp_script s {\nscript /bin/check -v\ninterval 7\n}\n${tracked}`).scripts).toEqual([
      {
        name: 's',
        command: ['/bin/check', '-v'],
        interval: 7_000_000,
        timeout: 7_000_000,
        rise: 1,
        fall: 1,
        failsAtStart: false,
        account: undefined,
      },
    ]);
  });

  test.each([
    ['', 's', [0, false]],
    ['weight 9', 's', [9, false]],
    ['weight 9 reverse', 's', [9, true]],
    ['weight 9', 's weight -3', [-3, false]],
    ['weight 9 reverse', 's weight 4 noreverse', [4, false]],
    ['', 's weight 4 reverse', [4, true]],
  ])('script %j, track %j: weight and direction', (script, track, expected) => {
    const text = `vrrp_script s {\nscript /bin/true\n${script}\n}\n${instance('a', 1, `track_script { ${track} }`)}`;
    const found = failoverOf(text).routers[0]?.router.tracks.at(-1);
    expect([found?.weight, found?.isReversed]).toEqual(expected);
    expect(saidOf(text)).toEqual([]);
  });

  test('without a script it is left out, and whoever tracks it goes without', () => {
    const text = `vrrp_script s {\ninterval 1\n}\n${tracked}`;
    expect(saidOf(text)).toEqual(['2:1 warning left-out']);
    expect(failoverOf(text)).toMatchObject({
      scripts: [],
      routers: [{ router: { tracks: [{ name: 'eth0' }] } }],
    });
  });

  test('unknown names, names twice, and what nobody tracks', () => {
    const script = 'vrrp_script alive { script /bin/true }\n';
    const wrong = parseText(user + script + instance('a', 1, 'track_script { alvie }'));
    expect(said(wrong)).toEqual(['2:1 warning no-effect', '6:16 warning unknown-name']);
    expect(wrong.diagnostics[1]?.help).toBe('did you mean alive?');
    const other = script.replace('true', 'false');
    const twice = user + script + other + instance('a', 1, 'track_script { alive }');
    expect(said(parseText(twice))).toEqual(['3:13 warning duplicate-name']);
    expect(failoverOf(twice).scripts.map(({ command }) => command)).toEqual([['/bin/true']]);
    expect(saidOf(script)).toEqual(['2:1 warning no-effect']);
    expect(failoverOf(script).scripts).toEqual([]);
  });

  test('as in keepalived, what is defined after its use is not tracked', () => {
    const script = 'vrrp_script alive { script /bin/true }\n';
    const file = 'track_file f { file /run/f }\n';
    const uses = 'track_script { alive }\ntrack_file { f }';
    const text = user + instance('a', 1, uses) + script + file;
    const result = parseText(text);
    expect(said(result).filter((line) => line.includes('as-keepalived'))).toHaveLength(2);
    expect(failoverOf(text).routers[0]?.router.tracks.map(({ kind }) => kind)).toEqual(['interface']);
    const inOrder = user + script + file + instance('a', 1, uses);
    expect(said(parseText(inOrder))).toEqual([]);
    expect(failoverOf(inOrder).routers[0]?.router.tracks.map(({ kind }) => kind)).toEqual([
      'interface',
      'script',
      'file',
    ]);
  });

  test.each([
    ['"killall -0 haproxy || exit 1"', '||'],
    ['"/bin/true > /dev/null"', '>'],
    ['"/bin/true 2>/dev/null"', '2>/dev/null'],
    ['"/usr/bin/test $(pidof nginx)"', '$(pidof'],
  ])('no shell reads %s', (command, sign) => {
    const text = `${user}vrrp_script s { script ${command} }\n${instance('a', 1, 'track_script { s }')}`;
    const result = parseText(text);
    expect(said(result)).toEqual(['2:24 notice as-keepalived']);
    expect(result.diagnostics[0]?.message).toContain(sign);
  });

  test('a shell that is named reads its command', () => {
    const text = `${user}vrrp_script s { script "/bin/sh -c 'true || false'" }\n${instance('a', 1, 'track_script { s }')}`;
    expect(said(parseText(text))).toEqual([]);
  });

  test('words behind an unquoted script are its arguments, unlike in keepalived', () => {
    const text = `${user}vrrp_script s {\nscript /bin/echo one two\n}\n${instance('a', 1, 'track_script { s }')}`;
    expect(said(parseText(text))).toEqual(['3:8 notice differs']);
    expect(failoverOf(text).scripts[0]?.command).toEqual(['/bin/echo', 'one', 'two']);
  });

  test('scripts for which nobody is named are said once', () => {
    const texts = [
      `vrrp_script s { script /bin/true }\n${tracked}`,
      instance('a', 1, 'notify "/bin/true"\nnotify_master /bin/true'),
      'global_defs { notify_fifo /run/f\nnotify_fifo_script /bin/true }',
    ];
    for (const text of texts) {
      expect(parseText(text).diagnostics.map(({ code }) => code)).toEqual(['no-script-user']);
      expect(saidOf(text)).toEqual([]);
    }
    expect(said(parseText(instance('a', 1, 'notify "/bin/true" web')))).toEqual([]);
    expect(said(parseText(`vrrp_script s { script /bin/true\nuser web }\n${tracked}`))).toEqual([]);
  });
});

describe('track_file', () => {
  const tracked = (track = 'f') => instance('a', 1, `track_file { ${track} }`);

  test.each([
    ['', { weight: 1, isReversed: false, initial: undefined, overwrites: false }],
    ['weight 5 reverse', { weight: 5, isReversed: true }],
    ['init_file', { initial: 0, overwrites: false }],
    ['init_file 7', { initial: 7, overwrites: false }],
    ['init_file overwrite', { initial: 0, overwrites: true }],
    ['init_file 7 overwrite', { initial: 7, overwrites: true }],
  ])('%j', (lines, expected) => {
    const text = `track_file f {\nfile /run/f\n${lines}\n}\n${tracked()}`;
    expect(failoverOf(text).files).toMatchObject([{ name: 'f', path: '/run/f', ...expected }]);
    expect(saidOf(text)).toEqual([]);
  });

  test('its weight is the default of its tracks', () => {
    const tracksOf = (track: string) =>
      failoverOf(`track_file f {\nfile /run/f\nweight 5 reverse\n}\n${tracked(track)}`).routers[0]?.router
        .tracks;
    expect(tracksOf('f')?.at(-1)).toEqual({ kind: 'file', name: 'f', weight: 5, isReversed: true });
    expect(tracksOf('f weight 2 noreverse')?.at(-1)).toMatchObject({ weight: 2, isReversed: false });
  });

  test('the old name, and one without a file', () => {
    expect(saidOf(`vrrp_track_file f { file /run/f }\n${tracked()}`)).toEqual(['2:1 notice old-name']);
    expect(saidOf(`track_file f { weight 1 }\n${tracked()}`)).toEqual(['2:1 warning left-out']);
  });
});

describe('vrrp_sync_group', () => {
  const weighted = (groupLine: string) => `
vrrp_script s { script /bin/true }
vrrp_instance a {
interface eth0
virtual_router_id 1
virtual_ipaddress { 10.0.0.1 }
track_script { s weight -20 }
}
vrrp_instance b {
interface eth0
virtual_router_id 2
virtual_ipaddress { 10.0.0.2 }
}
vrrp_sync_group g {
group {
a
b
}
${groupLine}
}`;

  test("a member's weight is left out, and said, unless it is asked for", () => {
    expect(saidOf(weighted(''))).toEqual(['15:1 warning no-effect']);
    expect(saidOf(weighted('sync_group_tracking_weight'))).toEqual([]);
    const [found] = failoverOf(weighted('sync_group_tracking_weight')).groups;
    expect(found?.group.hasMemberWeights).toBe(true);
  });

  const two = instance('a', 1) + instance('b', 2);

  test('members, tracks and notifications', () => {
    const text = `${two}vrrp_script s { script /bin/true }
track_file f { file /run/f }
vrrp_sync_group g {
group {
a
b
}
track_interface { eth5 }
track_script { s weight 3 }
track_file { f }
notify_master "/bin/m x"
notify /bin/n
notify_priority_changes
}`;
    expect(saidOf(text)).toEqual([]);
    expect(failoverOf(text).groups).toMatchObject([
      {
        origin: { line: 14 },
        group: {
          name: 'g',
          members: ['a', 'b'],
          tracks: [
            { kind: 'interface', name: 'eth5', weight: 0 },
            { kind: 'script', name: 's', weight: 3 },
            { kind: 'file', name: 'f', weight: 1 },
          ],
        },
        notify: {
          master: { words: ['/bin/m', 'x'] },
          any: { words: ['/bin/n'] },
          deleted: undefined,
          notifiesPriority: true,
        },
      },
    ]);
  });

  test('members on one line are as good', () => {
    expect(failoverOf(`${two}vrrp_sync_group g { group { a b } }`).groups[0]?.group.members).toEqual([
      'a',
      'b',
    ]);
  });

  test.each([
    ['vrrp_sync_group g { group { a } }', ['12:1 warning lonely-group']],
    ['vrrp_sync_group g { }', ['12:1 warning lonely-group']],
    ['vrrp_sync_group g { group { a c } }', ['12:31 error unknown-name']],
    [
      'vrrp_sync_group g { group { a b } }\nvrrp_sync_group h { group { a b } }',
      ['13:1 warning lonely-group', '13:29 warning two-groups', '13:31 warning two-groups'],
    ],
    [
      'vrrp_sync_group g { group { a b } }\nvrrp_sync_group g { group { a b } }',
      ['13:17 error duplicate-name'],
    ],
    ['vrrp_sync_group g {\ngroup { a b }\nglobal_tracking\n}', ['14:1 notice without-effect']],
    ['vrrp_sync_group g {\ngroup { a b }\nsmtp_alert\n}', ['14:1 warning not-in-effect-yet']],
  ])('%j', (text, expected) => {
    expect(saidOf(two + text)).toEqual(expected);
  });

  test('owners and others do not mix', () => {
    const mixed = `${instance('a', 1, 'priority 255')}${instance('b', 2)}vrrp_sync_group g { group { a b } }`;
    expect(saidOf(mixed)).toEqual(['12:1 warning mixed-owners']);
  });

  test('notify_priority_changes of a group is that of its members', () => {
    const text = `${two}vrrp_sync_group g {\ngroup { a b }\nnotify_priority_changes\n}`;
    expect(failoverOf(text).routers.map(({ notify }) => notify.notifiesPriority)).toEqual([true, true]);
  });

  test('one that begins as BACKUP makes all begin so', () => {
    const mixed = `${instance('a', 1, 'state MASTER\npriority 9')}${instance('b', 2)}vrrp_sync_group g { group { a b } }`;
    expect(saidOf(mixed)).toEqual(['13:1 warning mixed-states']);
    expect(failoverOf(mixed).routers.map(({ router }) => router.startState)).toEqual(['backup', 'backup']);
  });
});

describe('global_defs', () => {
  test('script policy, FIFOs and dumps', () => {
    const text = `global_defs {
script_user web group
enable_script_security
notify_fifo /run/all
notify_fifo_script "/bin/read all" reader
vrrp_notify_fifo /run/vrrp root root
lvs_notify_fifo /run/lvs
fifo_write_vrrp_states_on_reload
state_dump_file /run/data
stats_dump_file /run/stats
json_dump_file /run/json
}`;
    expect(said(parseText(text))).toEqual([]);
    expect(configOf(text).failover).toEqual({
      ...noFailover,
      scriptPolicy: { account: { user: 'web', group: 'group' }, isSecure: true },
      fifos: [
        {
          hears: 'all',
          path: '/run/all',
          account: undefined,
          script: { words: ['/bin/read', 'all'], account: { user: 'reader', group: undefined } },
        },
        { hears: 'vrrp', path: '/run/vrrp', account: { user: 'root', group: 'root' }, script: undefined },
        { hears: 'lvs', path: '/run/lvs', account: undefined, script: undefined },
      ],
      writesStatesOnReload: true,
      dumps: { data: '/run/data', stats: '/run/stats', json: '/run/json' },
    });
  });

  test('startup and shutdown scripts are named', () => {
    expect(saidOf('global_defs { startup_script /bin/true }')).toEqual(['2:15 warning not-in-effect-yet']);
  });

  test.each(['vrrp_mcast_group4 ff02::12', 'vrrp_mcast_group6 224.0.0.18', 'vrrp_mcast_group4 10.0.0.1'])(
    '%s is refused',
    (line) => {
      expect(parseText(`global_defs {\n${line}\n}`).config).toBeUndefined();
    },
  );
});

test.each([
  ['/bin/a b c', ['/bin/a', 'b', 'c']],
  ["  /bin/a  'b  c'\t", ['/bin/a', 'b  c']],
  ['a"b c"d', ['ab cd']],
  [`a 'b "c' "d 'e"`, ['a', 'b "c', "d 'e"]],
  [String.raw`a\ b "c\"d" 'e\f'`, ['a b', 'c"d', String.raw`e\f`]],
  ["a ''", ['a', '']],
  ['', []],
  ["a 'b", ['a', 'b']],
])('the words of the command %j', (text, words) => {
  expect(splitCommand(text)).toEqual(words);
  expect(splitCommand(commandText(words))).toEqual(words);
});

describe('addresses and adverts', () => {
  const many = (line: (i: number) => string, count: number) =>
    `vrrp_instance a {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n${Array.from({ length: count }, (_, i) => line(i + 1)).join('\n')}\n}\n}`;

  test.each([
    [6, 89, (i: number) => `fd00::${i.toString(16)}/128`],
    [4, 255, (i: number) => `10.0.${i >> 8}.${i & 255}/32`],
  ])('an advert holds what fits: IPv%i, %i', (_, most, line) => {
    expect(saidOf(many(line, most))).toEqual([]);
    const text = many(line, most + 11);
    expect(saidOf(text)).toEqual([`${6 + most}:1 warning no-effect`]);
    const [found] = failoverOf(text).routers;
    expect(found?.router.addresses).toHaveLength(most);
    expect(found?.router.excludedAddresses).toHaveLength(11);
  });

  test('a link-local address is of its device', () => {
    const instance = (id: number, device: string, address: string) =>
      `vrrp_instance v${id} {\ninterface ${device}\nvirtual_router_id ${id}\nvirtual_ipaddress {\n${address}\n}\n}\n`;
    const gateway = 'fe80::1/64';
    expect(saidOf(instance(1, 'eth0', gateway) + instance(2, 'eth1', gateway))).toEqual([]);
    expect(saidOf(instance(1, 'eth0', gateway) + instance(2, 'eth0', gateway))).toEqual([
      '9:1 warning duplicate-address',
    ]);
    const global = 'fd00::1/64';
    expect(saidOf(instance(1, 'eth0', global) + instance(2, 'eth1', global))).toEqual([
      '9:1 warning duplicate-address',
    ]);
  });
});
