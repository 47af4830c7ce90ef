// Each kind of change, what it is called, and that moving lines changes nothing.
import { expect, test } from 'vitest';
import { describe as describeChange, diff, emptyConfig } from '../../../src/model/diff.js';
import { configOf } from '../../support/parse-config.js';

const base = `
virtual_server 10.0.0.1 80 {
  protocol TCP
  lvs_sched rr
  lvs_method NAT
  real_server 10.0.0.2 80 { weight 1 }
  real_server 10.0.0.3 80 { weight 1 }
}
`;

const user = 'global_defs { script_user root }\n';
const script = 'vrrp_script alive {\nscript /bin/alive\ninterval 2\n}\n';
const web = `vrrp_instance web {
virtual_router_id 7
virtual_ipaddress { 10.0.0.7 }
track_script { alive }
}
`;
const db = `vrrp_instance db {
virtual_router_id 8
virtual_ipaddress { 10.0.0.8 }
priority 90
}
`;
const group = 'vrrp_sync_group both { group { web db } }\n';
const failover = user + script + web + db + group;

const changes = (before: string, after: string) =>
  diff(configOf(before), configOf(after)).map(describeChange);

test.each([
  ['nothing', base, base, []],
  ['lines moved', base, `# a comment\n\n${base}`, []],
  [
    'weight',
    base,
    base.replace('weight 1', 'weight 3'),
    ['service tcp 10.0.0.1:80: server 10.0.0.2:80: weight 1 → 3'],
  ],
  [
    'a checker',
    base,
    base.replace('weight 1', '\nTCP_CHECK { }\n'),
    ['service tcp 10.0.0.1:80: server 10.0.0.2:80: checkers changed'],
  ],
  [
    'scheduler and sorry server',
    base,
    base.replace('rr', 'wlc\nsorry_server 10.0.0.9 80'),
    ['service tcp 10.0.0.1:80: scheduler rr → wlc, sorry server changed'],
  ],
  [
    'another server',
    base,
    base.replace('10.0.0.3', '10.0.0.4'),
    [
      'service tcp 10.0.0.1:80: server 10.0.0.3:80 removed',
      'service tcp 10.0.0.1:80: server 10.0.0.4:80 added: nat, weight 1',
    ],
  ],
  [
    'servers swapped',
    base,
    base.replace('10.0.0.2', 'x').replace('10.0.0.3', '10.0.0.2').replace('x', '10.0.0.3'),
    ['service tcp 10.0.0.1:80: servers reordered'],
  ],
  [
    'another port',
    base,
    base.replace('10.0.0.1 80', '10.0.0.1 81'),
    ['service tcp 10.0.0.1:80 removed', 'service tcp 10.0.0.1:81 added: rr, 2 servers'],
  ],
  [
    'services swapped',
    base + base.replace('.1 80', '.7 80'),
    base.replace('.1 80', '.7 80') + base,
    ['services reordered'],
  ],
  [
    'global and director settings',
    base,
    `${base}global_defs { router_id a }\ndirector {\nworkers 2\ninterface eth0\n}`,
    ['global settings: router id none → a', 'director settings: interfaces none → [eth0], workers auto → 2'],
  ],
  [
    'whom services take',
    'director {\nallow 10.0.0.0/8\ndeny 10.9.0.0/16 10.8.0.0/16\n}',
    'director {\nconnections 7\ndeny 10.9.0.0/16 fd00::1 fd00::2 fd00::3 fd00::4 fd00::5\n}',
    [
      'director settings: connections 1000000 → 7',
      'clients: allow 10.0.0.0/8 removed, deny fd00::1/128 fd00::2/128 fd00::3/128 fd00::4/128 and 1 more added, deny 10.8.0.0/16 removed',
    ],
  ],
  [
    'the same clients in other words and another order',
    'director {\nallow 10.0.0.0/8 fd00::1\n}',
    'director {\nallow {\nfd00:0::1/128\n10.0.0.0/8\n}\n}',
    [],
  ],
  [
    'static addresses',
    'static_ipaddress { 10.0.0.1/24 }',
    'static_ipaddress { 10.0.0.1/25 }',
    ['address 10.0.0.1/24 on eth0 removed', 'address 10.0.0.1/25 on eth0 added'],
  ],
  [
    'failover comes',
    user,
    failover,
    [
      'script alive added',
      'virtual router web added: VRID 7 on eth0, priority 100, 1 address',
      'virtual router db added: VRID 8 on eth0, priority 90, 1 address',
      'sync group both added: web, db',
    ],
  ],
  [
    'a virtual router goes, and its group with it',
    failover,
    user + script + web,
    ['virtual router db removed', 'sync group both removed'],
  ],
  [
    'times, priority, notification and who runs it',
    failover,
    failover.replace('priority 90', 'priority 95\nnotify_master "/bin/m x" web').replace('interval 2', ''),
    [
      'script alive: interval 2 s → 1 s, timeout 2 s → 1 s',
      'virtual router db: priority 90 → 95, notify master none → /bin/m x as web',
    ],
  ],
  [
    'a user alone',
    failover.replace('priority 90', 'notify_master "/bin/m" a'),
    failover.replace('priority 90', 'notify_master "/bin/m" b'),
    ['virtual router db: notify master /bin/m as a → /bin/m as b'],
  ],
  [
    'addresses, peers, tracks and announcements',
    failover,
    failover
      .replace('{ 10.0.0.8 }', '{ 10.0.0.8/24 }')
      .replace(
        'priority 90',
        'priority 90\nunicast_peer { 10.0.0.2 }\ntrack_file { f }\ngarp_master_repeat 1',
      )
      .replace(/^/, 'track_file f { file /run/f }\n'),
    [
      'tracked file f added',
      'virtual router db: delivery multicast 224.0.0.18 → unicast to 10.0.0.2 TTL 0-255, TTL 255, ' +
        'addresses [10.0.0.8/32 scope global] → [10.0.0.8/24 scope global], ' +
        'tracks [interface eth0 weight 0] → [interface eth0 weight 0, file f weight 1], announce repeat 5 → 1; ' +
        'for its peers it is another one, which starts while the old one gives up',
    ],
  ],
  [
    'a virtual router under another name, first of all, with another priority',
    user + script + web + db,
    user + script + db.replace('vrrp_instance db', 'vrrp_instance dc').replace('90', '95') + web,
    ['virtual router db: name db → dc, priority 90 → 95', 'virtual routers reordered'],
  ],
  [
    'a password, which is not told',
    failover.replace('priority 90', 'authentication { auth_type PASS\nauth_pass old }'),
    failover.replace('priority 90', 'authentication { auth_type PASS\nauth_pass new }'),
    ['virtual router db: authentication changed'],
  ],
  [
    'virtual routers swapped, lines moved',
    failover,
    `\n\n${user}${script}${db}${web}${group}`,
    ['virtual routers reordered'],
  ],
  [
    'policy and FIFOs',
    failover,
    `${failover}global_defs {\nscript_user web\nnotify_fifo /run/f\nstate_dump_file /run/d\n}`,
    ['failover settings: script user root → web, dumps data /tmp/keepalived.data → /run/d', 'FIFO all added'],
  ],
])('%s', (_, before, after, expected) => {
  expect(changes(before, after)).toEqual(expected);
});

test('the first configuration is compared with the empty one', () => {
  expect(diff(emptyConfig, configOf(base)).map(({ kind }) => kind)).toEqual(['service-added']);
  expect(diff(emptyConfig, configOf(''))).toEqual([]);
});
