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
    ['service tcp 10.0.0.1:80: scheduler rr → wlc, sorryServer changed'],
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
    ['global settings: routerId none → a', 'director settings: interfaces none → [eth0], workers auto → 2'],
  ],
  [
    'static addresses',
    'static_ipaddress { 10.0.0.1/24 }',
    'static_ipaddress { 10.0.0.1/25 }',
    ['address 10.0.0.1/24 on eth0 removed', 'address 10.0.0.1/25 on eth0 added'],
  ],
])('%s', (_, before, after, expected) => {
  expect(changes(before, after)).toEqual(expected);
});

test('the first configuration is compared with the empty one', () => {
  expect(diff(emptyConfig, configOf(base)).map(({ kind }) => kind)).toEqual(['service-added']);
  expect(diff(emptyConfig, configOf(''))).toEqual([]);
});
