// `allow` and `deny` of director { }: their forms, and what is refused.

import { expect, test } from 'vitest';
import { maxClientNetworks } from '../../../src/model/client-rules.js';
import { configOf, parseText, said } from '../../support/parse-config.js';

const director = (...lines: string[]) => `director {\n${lines.join('\n')}\n}`;

test('words, a block and further lines add up; a network that stands twice counts once', () => {
  const text = director(
    'allow 192.0.2.0/24 fd00::/8',
    'allow {',
    '10.0.0.0/8 192.0.2.0/24 # the office',
    '198.51.100.7',
    '}',
    'deny 10.1.0.0/16',
    'deny fd00:1::/32',
  );
  expect(parseText(text).diagnostics).toEqual([]);
  expect(configOf(text).clients).toEqual({
    allow: ['10.0.0.0/8', '192.0.2.0/24', '198.51.100.7/32', 'fd00::/8'],
    deny: ['10.1.0.0/16', 'fd00:1::/32'],
  });
});

test('IPv4 written as IPv6, which no packet has, is an error that says how to write it', () => {
  const { diagnostics } = parseText(director('deny ::ffff:10.66.0.0/112', 'allow ::ffff:10.1.2.3'));
  expect(diagnostics.map(({ code, help }) => [code, help])).toEqual([
    ['invalid-address', 'write 10.66.0.0/16'],
    ['invalid-address', 'write 10.1.2.3/32'],
  ]);
});

test.each([
  [
    'a network in both lists, however it is written',
    ['allow fd00::1', 'deny fd00:0::1/128'],
    '3:6 error duplicate-network',
  ],
  ['a host with the length of its network', ['deny 10.1.2.3/8'], '2:6 error invalid-mask'],
  ['a length beyond the family', ['deny {', '10.0.0.0/33', '}'], '3:1 error invalid-mask'],
  ['a name', ['allow example.org'], '2:7 error invalid-address'],
  ['no network', ['allow'], '2:1 error missing-value'],
  ['an empty block', ['deny {', '}'], '2:1 error missing-value'],
])('%s is an error', (_, lines, expected) => {
  expect(said(parseText(director(...lines)))).toEqual([expected]);
});

test('what an address with bits beyond its length may have meant is named', () => {
  const [refusal] = parseText(director('deny 10.1.2.3/8')).diagnostics;
  expect(refusal?.help).toBe('write 10.0.0.0/8 for the network, 10.1.2.3 for the one address');
});

test('as many networks as the data plane takes, and not one more', () => {
  const lines = Array.from({ length: maxClientNetworks }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);
  const half = lines.length / 2;
  const text = (...more: string[]) =>
    director('allow {', ...lines.slice(0, half), '}', 'deny {', ...lines.slice(half), ...more, '}');
  expect(parseText(text()).diagnostics).toEqual([]);
  const [refusal, ...others] = parseText(text('192.0.2.1')).diagnostics;
  expect(refusal).toMatchObject({
    code: 'out-of-range',
    message: '65537 networks are allowed and denied: 65536 are the most',
    sourceLine: '192.0.2.1',
  });
  expect(others).toEqual([]);
});

test('who allows clients of one family by name is told that those of the other all come in', () => {
  const service = (address: string, server: string) =>
    `virtual_server ${address} 80 {\nlvs_sched rr\nlvs_method DR\nprotocol TCP\nreal_server ${server} 80 { }\n}\n`;
  const both = service('192.0.2.1', '10.0.0.1') + service('2001:db8::1', 'fd00::1');
  const codesOf = (text: string) => parseText(text).diagnostics.map(({ code }) => code);
  expect(codesOf(both + director('allow 10.0.0.0/8'))).toEqual(['open-family']);
  expect(codesOf(both + director('allow fd00::/8', 'deny 10.0.0.0/8'))).toEqual(['open-family']);
  expect(codesOf(both + director('allow 10.0.0.0/8 fd00::/8'))).toEqual([]);
  expect(codesOf(both + director('allow 10.0.0.0/8', 'deny ::/0'))).toEqual([]);
  expect(codesOf(both + director('deny 10.0.0.0/8'))).toEqual([]);
  expect(codesOf(service('192.0.2.1', '10.0.0.1') + director('allow 10.0.0.0/8'))).toEqual([]);
});
