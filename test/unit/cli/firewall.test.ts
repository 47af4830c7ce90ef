// Rules that no longer see what services get: by policy, by a rule, by a chain that is jumped to; of nft and of iptables-legacy.

import { expect, test } from 'vitest';
import { checkFirewall, type RunProgram } from '../../../src/cli/firewall.js';

const chain = (name: string, more: object = {}, family = 'inet') => ({
  chain: { family, table: 'filter', name, ...more },
});
const rule = (name: string, expr: readonly object[], family = 'inet') => ({
  rule: { family, table: 'filter', chain: name, expr },
});
const input = { type: 'filter', hook: 'input', prio: 0 };

function nft(...objects: readonly object[]): RunProgram {
  return (program) =>
    program === 'nft' ? JSON.stringify({ nftables: [{ metainfo: {} }, ...objects] }) : undefined;
}

const named = (run: RunProgram, isLegacyUsed = false) => {
  const [finding] = checkFirewall(run, isLegacyUsed);
  return finding?.level === 'ok' ? 'ok' : finding?.fact.replace(/^.* before them: /, '');
};

test.each([
  ['no nft here', () => undefined, 'ok'],
  ['what is no JSON', () => 'table inet', 'ok'],
  [
    'rules that only accept',
    nft(chain('input', { ...input, policy: 'accept' }), rule('input', [{ accept: null }])),
    'ok',
  ],
  ['a chain at output', nft(chain('output', { ...input, hook: 'output', policy: 'drop' })), 'ok'],
  [
    'a chain of bridges',
    nft(chain('forward', { ...input, hook: 'forward', policy: 'drop' }, 'bridge')),
    'ok',
  ],
  [
    'a policy',
    nft(chain('input', { ...input, policy: 'drop' })),
    'table inet filter, chain input (policy drop)',
  ],
  [
    'rules, one by way of two chains that jump to each other',
    nft(
      chain('in', input),
      chain('a'),
      chain('b'),
      rule('in', [{ match: {} }, { jump: { target: 'a' } }]),
      rule('a', [{ goto: { target: 'b' } }]),
      rule('b', [{ match: {} }, { reject: null }]),
      rule('b', [{ jump: { target: 'a' } }]),
      rule('in', [{ drop: null }]),
    ),
    'table inet filter, chain in (2 rules that refuse)',
  ],
  [
    '-j REJECT of iptables-nft, which nft has no word for',
    nft(
      chain('FORWARD', { ...input, hook: 'forward', policy: 'accept' }, 'ip'),
      rule('FORWARD', [{ xt: { type: 'match', name: 'conntrack' } }], 'ip'),
      rule('FORWARD', [{ counter: {} }, { xt: { type: 'target', name: 'REJECT' } }], 'ip'),
    ),
    'table ip filter, chain FORWARD (1 rule that refuses)',
  ],
  [
    'rules at the ingress of a device, which come behind the steering program, too',
    nft(chain('i', { ...input, hook: 'ingress' }, 'netdev'), rule('i', [{ drop: null }], 'netdev')),
    'table netdev filter, chain i (1 rule that refuses)',
  ],
  [
    'a map of verdicts in a rule',
    nft(
      chain('in', input),
      rule('in', [
        {
          vmap: {
            key: {},
            data: {
              set: [
                [80, { drop: null }],
                [22, { jump: { target: 'ssh' } }],
              ],
            },
          },
        },
      ]),
      rule('ssh', [{ reject: null }]),
    ),
    'table inet filter, chain in (2 rules that refuse)',
  ],
  [
    'a map of verdicts with a name',
    nft(
      { map: { family: 'inet', table: 'filter', name: 'ports', elem: [[80, { goto: { target: 'no' } }]] } },
      chain('in', input),
      rule('in', [{ vmap: { key: {}, data: '@ports' } }]),
      rule('no', [{ reject: null }]),
    ),
    'table inet filter, chain in (1 rule that refuses)',
  ],
])('%s', (_, run, expected) => {
  expect(named(run as RunProgram)).toBe(expected);
});

test('the remedy is what director { } has for it', () => {
  const [finding] = checkFirewall(nft(chain('input', { ...input, policy: 'drop' })), false);
  expect(finding).toMatchObject({
    level: 'warning',
    remedy: expect.stringMatching(/director { }.*allow and deny/),
  });
});

test('without nft nobody says that there are no rules', () => {
  expect(checkFirewall(() => undefined, false)[0]?.fact).toContain('were not looked at');
});

test('iptables-legacy is asked only where it has rules, both families', () => {
  const asked: string[] = [];
  const run: RunProgram = (program, ...args) => {
    asked.push([program, ...args].join(' '));
    if (program === 'iptables-legacy')
      return '-P INPUT DROP\n-P FORWARD ACCEPT\n-N web\n-A FORWARD -j web\n-A web -s 10.0.0.0/8 -j DROP\n';
    return program === 'ip6tables-legacy' ? '-P INPUT ACCEPT\n-A INPUT -p tcp -j REJECT\n' : undefined;
  };
  expect(named(run)).toBe('ok');
  expect(asked).toEqual(['nft -j list ruleset']);
  expect(named(run, true)).toBe(
    'iptables-legacy INPUT (policy drop), iptables-legacy FORWARD (1 rule that refuses), ip6tables-legacy INPUT (1 rule that refuses)',
  );
});
