// The meaning of virtual_server, real_server and TCP_CHECK: defaults, inheritance, and what is said in words.

import { describe, expect, test } from 'vitest';
import type { VirtualServer } from '../../../src/model/director-config.js';
import { schedulers } from '../../../src/model/forwarding-table.js';
import { serviceKey } from '../../../src/model/service-id.js';
import { configOf, parseText, said, withoutOrigins } from '../../support/parse-config.js';

const head = 'protocol TCP\nlvs_sched rr\nlvs_method NAT';
const vs = (body: string, identity = '10.0.0.1 80') => `virtual_server ${identity} {\n${body}\n}\n`;
const rs = (body = '', identity = '10.0.0.2 80') => `real_server ${identity} {\n${body}\n}\n`;

function serviceOf(text: string): VirtualServer {
  const [service] = configOf(text).virtualServers;
  if (service === undefined) throw new Error('no service');
  return service;
}
const codesOf = (text: string) => parseText(text).diagnostics.map(({ code }) => code);

test('the least that makes a service, with every default of keepalived', () => {
  const text = vs(rs('TCP_CHECK {\n}'));
  expect(said(parseText(text))).toEqual([
    '1:1 warning default-protocol',
    '1:1 notice default-taken',
    '1:1 notice default-taken',
  ]);
  expect(withoutOrigins(serviceOf(text))).toEqual({
    id: { kind: 'endpoint', protocol: 'udp', address: '10.0.0.1', port: 80 },
    scheduler: 'wlc',
    flags: [],
    onePacket: false,
    quorum: 1,
    hysteresis: 0,
    alpha: false,
    notAsWritten: [],
    realServers: [
      {
        address: '10.0.0.2',
        port: 80,
        method: 'nat',
        weight: 1,
        upperThreshold: 0,
        lowerThreshold: 0,
        alpha: false,
        inhibitOnFailure: false,
        checkers: [
          {
            kind: 'tcp',
            question: { connectAddress: '10.0.0.2', connectPort: 80, bindPort: 0, fwmark: 0 },
            timeout: 5_000_000,
            delayLoop: 60_000_000,
            retries: 1,
            delayBeforeRetry: 1_000_000,
            warmup: 60_000_000,
            alpha: false,
            logAllFailures: false,
          },
        ],
      },
    ],
  });
});

test('settings go from the service to its servers to their checkers, wherever they stand', () => {
  const text = vs(
    `${head}
${rs('TCP_CHECK {\n}')}
${rs('retry 7\nalpha no\nweight 9\ninhibit_on_failure no\nTCP_CHECK {\ndelay_loop 0.5\nwarmup 0\nalpha\n}', '10.0.0.3 81')}
delay_loop 6\nconnect_timeout 2.5\nretry 3\ndelay_before_retry 4\nwarmup 2\nalpha\nweight 5\ninhibit_on_failure`,
  );
  const [first, second] = serviceOf(text).realServers;
  expect(first).toMatchObject({ weight: 5, alpha: true, inhibitOnFailure: true });
  expect(first?.checkers[0]).toMatchObject({
    delayLoop: 6_000_000,
    timeout: 2_500_000,
    retries: 3,
    delayBeforeRetry: 4_000_000,
    warmup: 2_000_000,
    alpha: true,
  });
  expect(second).toMatchObject({ weight: 9, alpha: false, inhibitOnFailure: false });
  expect(second?.checkers[0]).toMatchObject({
    question: { connectPort: 81 },
    delayLoop: 500_000,
    retries: 7,
    warmup: 0,
    alpha: true,
  });
});

test('warmup follows the delay_loop in force, log_all_failures the global word', () => {
  const text = `global_defs {\nchecker_log_all_failures\n}\n${vs(`${head}\ndelay_loop 6\n${rs('TCP_CHECK {\n}\nTCP_CHECK {\nlog_all_failures off\n}')}`)}`;
  const checkers = serviceOf(text).realServers[0]?.checkers;
  expect(checkers?.map(({ warmup, logAllFailures }) => [warmup, logAllFailures])).toEqual([
    [6_000_000, true],
    [6_000_000, false],
  ]);
});

test('a real server without a port, or with port 0, has the port of its service', () => {
  const ports = serviceOf(vs(`${head}\n${rs('', '10.0.0.2')}${rs('', '10.0.0.3 0')}`)).realServers;
  expect(ports.map(({ port }) => port)).toEqual([80, 80]);
});

test('NAT to a loopback address at another port reaches nobody, and is told', () => {
  const text = vs(
    `protocol TCP\nlvs_sched rr\nlvs_method NAT\nsorry_server 127.0.0.1 8081\n${rs('TCP_CHECK {\n}', '127.0.0.2 8080')}`,
  );
  expect(said(parseText(text))).toEqual(['5:14 warning loopback-server', '6:13 warning loopback-server']);
  expect(codesOf(text.replace(' 8080', ' 80').replace(' 8081', ''))).toEqual([]);
  expect(codesOf(text.replace('NAT', 'DR'))).not.toContain('loopback-server');
});

describe('DR cannot map ports', () => {
  const text = vs(
    `protocol TCP\nlvs_sched rr\nlvs_method DR\nsorry_server 10.0.0.9 8081\n${rs('TCP_CHECK {\n}', '10.0.0.2 8080')}`,
  );

  test('the server gets the port of the service, its checker keeps the one written', () => {
    expect(said(parseText(text))).toEqual(['5:23 warning sorry-port-ignored', '6:22 warning port-ignored']);
    const { realServers, sorryServer } = serviceOf(text);
    expect(realServers[0]?.port).toBe(80);
    expect(realServers[0]?.checkers[0]?.question).toMatchObject({ connectPort: 8080 });
    expect(sorryServer).toMatchObject({ port: 80, method: 'dr' });
  });

  test('a method of its own frees a server and the sorry server from that', () => {
    const mixed = text
      .replace('8080 {', '8080 {\nlvs_method NAT')
      .replace('8081', '8081\nsorry_server_lvs_method NAT');
    expect(codesOf(mixed)).toEqual([]);
    expect(serviceOf(mixed).sorryServer).toMatchObject({ port: 8081, method: 'nat' });
  });
});

test.each([
  ['fwmark 1', head],
  ['group a', head],
  ['10.0.0.1 80', head.replace('TCP', 'SCTP')],
  ['10.0.0.1 80', head.replace('NAT', 'TUN type gue port 6080')],
  ['10.0.0.1 80', `${head}\nsorry_server 10.0.0.9\nsorry_server_lvs_method TUN`],
])('%s with %j is left out and named', (identity, body) => {
  const text = vs(`${body}\n${rs()}`, identity);
  const strict = parseText(text);
  expect(strict.diagnostics.map(({ severity, code }) => `${severity} ${code}`)).toEqual([
    'error service-left-out',
  ]);
  expect(strict.config).toBeUndefined();
  const { config, diagnostics } = parseText(text, { lenient: true });
  expect(diagnostics.map(({ severity, code }) => `${severity} ${code}`)).toEqual([
    'warning service-left-out',
  ]);
  expect(config?.virtualServers).toEqual([]);
});

test('a service without real servers is left out as in keepalived', () => {
  expect(codesOf(vs(head))).toEqual(['no-real-servers']);
  expect(configOf(vs(head)).virtualServers).toEqual([]);
});

describe('what cannot have an effect is said', () => {
  test.each([
    ['alpha', `${head}\nalpha\n${rs()}`],
    ['alpha of a server', `${head}\n${rs('alpha')}`],
    ['inhibit_on_failure', `${head}\ninhibit_on_failure\n${rs()}`],
    ['omega', `${head}\nomega\n${rs()}`],
    ['ops', `${head}\nops\n${rs()}`],
    ['sh-port', `${head}\nsh-port\n${rs()}`],
    ['flag-1', `${head}\nflag-1\n${rs()}`],
    ['flag-3 of mh', `${head.replace('rr', 'mh')}\nflag-3\n${rs()}`],
    ['sh-port of mh', `${head.replace('rr', 'mh')}\nsh-port\n${rs()}`],
    ['delay_before_retry', `${head}\n${rs('TCP_CHECK {\nretry 0\ndelay_before_retry 3\n}')}`],
    ['connect_ip', `${head}\n${rs('TCP_CHECK {\nconnect_ip 10.0.0.1\n}')}`],
    ['lthreshold', `${head}\n${rs('uthreshold 5\nlthreshold 6')}`],
  ])('%s', (_, body) => {
    expect(codesOf(vs(body))).toEqual(['no-effect']);
  });

  test('and not where it has one', () => {
    const checked = `${head}\nalpha\ninhibit_on_failure\n${rs('TCP_CHECK {\n}')}${rs('', '10.0.0.3 80')}`;
    expect(codesOf(vs(checked))).toEqual([]);
    expect(codesOf(vs(`${head}\n${rs('alpha off')}`))).toEqual([]);
    expect(codesOf(vs(`${head}\nalpha\n${rs('MISC_CHECK { misc_path a }')}`))).toEqual(['not-as-written']);
    expect(codesOf(vs(`${head}\nomega\nquorum_down a\n${rs()}`))).toEqual([
      'not-in-effect-yet',
      'not-in-effect-yet',
    ]);
    expect(codesOf(vs(`${head}\npersistence_timeout 0\n${rs()}`))).toEqual([]);
    expect(codesOf(vs(`${head}\npersistence_timeout\n${rs()}`))).toEqual([]);
  });
});

describe('persistence, as a live keepalived sets it', () => {
  const persistenceOf = (settings: string, identity?: string) =>
    serviceOf(vs(`${head}\n${settings}\n${rs()}`, identity)).persistence;

  test.each([
    ['', undefined],
    ['persistence_timeout 0', undefined],
    ['persistence_timeout 50', { timeout_s: 50, prefixLength: 32 }],
    ['persistence_timeout', { timeout_s: 360, prefixLength: 32 }],
    ['persistence_granularity 255.255.255.0', { timeout_s: 360, prefixLength: 24 }],
    ['persistence_timeout 50\npersistence_granularity 255.255.255.255', { timeout_s: 50, prefixLength: 32 }],
    ['persistence_timeout 50\npersistence_granularity 0.0.0.0', { timeout_s: 50, prefixLength: 0 }],
  ])('%j', (settings, expected) => {
    expect(persistenceOf(settings)).toEqual(expected);
  });

  test('an IPv6 service takes the length of a prefix, an IPv4 service a mask', () => {
    const ipv6 = (settings: string) => vs(`${head}\n${settings}\n${rs('', 'fd00::2 80')}`, 'fd00::1 80');
    expect(serviceOf(ipv6('persistence_timeout 5\npersistence_granularity 64')).persistence).toEqual({
      timeout_s: 5,
      prefixLength: 64,
    });
    expect(serviceOf(ipv6('persistence_timeout 5')).persistence).toEqual({ timeout_s: 5, prefixLength: 128 });
    const granularity = 'persistence_timeout 5\npersistence_granularity';
    expect(codesOf(ipv6(`${granularity} 255.255.0.0`))).toEqual(['invalid-mask']);
    expect(codesOf(vs(`${head}\n${granularity} 24\n${rs()}`))).toEqual(['invalid-mask']);
    expect(codesOf(vs(`${head}\n${granularity} 255.0.255.0\n${rs()}`))).toEqual(['invalid-mask']);
  });

  test('a service of every port is persistent, asked or not, and its servers have no port', () => {
    const every = (settings: string, server = '10.0.0.2', identity = '10.0.0.1 0') =>
      vs(`${head}\n${settings}\n${rs('', server)}`, identity);
    expect(codesOf(every('persistence_timeout 50'))).toEqual([]);
    expect(serviceOf(every('persistence_timeout 50'))).toMatchObject({
      id: { kind: 'any-port', protocol: 'tcp', address: '10.0.0.1' },
      persistence: { timeout_s: 50, prefixLength: 32 },
      realServers: [{ port: 0 }],
    });
    for (const identity of ['10.0.0.1', '10.0.0.1 0']) {
      expect(codesOf(every('', '10.0.0.2', identity))).toEqual(['as-keepalived']);
      expect(serviceOf(every('', '10.0.0.2', identity)).persistence?.timeout_s).toBe(360);
    }
    expect(codesOf(every('persistence_timeout 50', '10.0.0.2 8080'))).toEqual(['port-ignored']);
    // As keepalived it is listed with the port.
    expect(serviceOf(every('persistence_timeout 50', '10.0.0.2 8080')).realServers).toMatchObject([
      { port: 8080 },
    ]);
  });

  test('a checker of a server of every port needs a port', () => {
    const every = (check: string, server = '10.0.0.2') =>
      vs(`${head}\npersistence_timeout 50\n${rs(`TCP_CHECK {\n${check}\n}`, server)}`, '10.0.0.1 0');
    expect(codesOf(every(''))).toEqual(['port-missing']);
    expect(codesOf(every('connect_port 80'))).toEqual([]);
    expect(codesOf(every('', '10.0.0.2 80'))).toEqual(['port-ignored']);
  });
});

test.each(schedulers)('the scheduler %s', (name) => {
  const text = vs(`${head.replace('rr', name)}\n${rs()}`);
  expect(codesOf(text)).toEqual([]);
  expect(serviceOf(text).scheduler).toBe(name);
});

test('the flags of mh by name and by number', () => {
  const mh = head.replace('rr', 'mh');
  expect(serviceOf(vs(`${mh}\nmh-port\nmh-fallback\n${rs()}`)).flags).toEqual(['mh-fallback', 'mh-port']);
  expect(serviceOf(vs(`${mh}\nflag-2\n${rs()}`)).flags).toEqual(['mh-port']);
});

test('the flags of sh by name and by number', () => {
  const sh = head.replace('rr', 'sh');
  expect(serviceOf(vs(`${sh}\nsh-port\nsh-fallback\n${rs()}`)).flags).toEqual(['sh-fallback', 'sh-port']);
  expect(serviceOf(vs(`${sh}\nflag-2\nflag-1\n${rs()}`)).flags).toEqual(['sh-fallback', 'sh-port']);
  // keepalived reads no word behind a flag.
  expect(serviceOf(vs(`${sh}\nsh-port off\n${rs()}`)).flags).toEqual(['sh-port']);
  expect(codesOf(vs(`${sh}\nsh-port off\n${rs()}`))).toEqual(['as-keepalived']);
  expect(serviceOf(vs(`${head.replace('TCP', 'UDP')}\nops\n${rs()}`)).onePacket).toBe(true);
});

test.each([
  ['quorum 2', 'weight 1', 1, 0, ['quorum-unreachable']],
  ['quorum 5\nhysteresis 5', 'weight 2', 2, 1, ['quorum-unreachable', 'hysteresis-too-large']],
  ['quorum 7\nhysteresis 2', 'weight 10', 7, 2, []],
  ['quorum 7\nhysteresis 4', 'weight 10', 7, 4, ['quorum-unreachable']],
  ['quorum 3\nhysteresis 3', 'weight 9', 3, 2, ['hysteresis-too-large']],
  ['', 'weight 0', 1, 0, ['quorum-unreachable']],
])('%j over servers of %s', (settings, weight, quorum, hysteresis, codes) => {
  const text = vs(`${head}\n${settings}\n${rs(weight)}`);
  expect(codesOf(text)).toEqual(codes);
  expect(serviceOf(text)).toMatchObject({ quorum, hysteresis });
});

test.each([
  ['two services', vs(`${head}\n${rs()}`) + vs(`${head}\n${rs()}`), '10:1 error duplicate-service'],
  ['two servers', vs(`${head}\n${rs()}${rs()}`), '8:1 error duplicate-server'],
  [
    'two servers that DR gives one port',
    vs(`${head.replace('NAT', 'DR')}\n${rs()}${rs('', '10.0.0.2 81')}`),
    '8:1 error duplicate-server',
  ],
  ['a server of another family', vs(`${head}\n${rs('', 'fd00::2 80')}`), '5:13 error family-mismatch'],
  [
    'a sorry server of another family',
    vs(`${head}\nsorry_server ::1 80\n${rs()}`),
    '5:14 error family-mismatch',
  ],
  ['bindto', vs(`${head}\n${rs('TCP_CHECK {\nbindto ::1\n}')}`), '7:8 error family-mismatch'],
])('%s: refused', (_, text, expected) => {
  const result = parseText(text);
  expect(result.config).toBeUndefined();
  expect(said(result)).toContain(expected);
});

test('TCP and UDP on one address and port are two services', () => {
  const both = vs(`${head}\n${rs()}`) + vs(`${head.replace('TCP', 'UDP')}\n${rs()}`);
  expect(configOf(both).virtualServers.map(({ id }) => serviceKey(id))).toEqual([
    'tcp 10.0.0.1:80',
    'udp 10.0.0.1:80',
  ]);
});

test('of a scheduler that does not exist one thing is said', () => {
  expect(codesOf(vs(`protocol TCP\nlvs_sched rrr\nlvs_method NAT\n${rs()}`))).toEqual(['invalid-value']);
});
