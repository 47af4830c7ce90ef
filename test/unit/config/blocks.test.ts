// global_defs, static_ipaddress, director and the contradictions of vrrp_instance.
import { expect, test } from 'vitest';
import { defaultDirectorSettings } from '../../../src/model/director-config.js';
import { configOf, parseText, said } from '../../support/parse-config.js';

const codesOf = (text: string) => parseText(text).diagnostics.map(({ code }) => code);

test('several global_defs add up, the last word counts', () => {
  const text = 'global_defs {\nrouter_id a\nlvs_timeouts udp 9 tcp 5\n}\nglobal_defs { router_id "b c" }';
  expect(configOf(text).global).toEqual({
    routerId: 'b c',
    tcpTimeout_s: 5,
    tcpFinTimeout_s: undefined,
    udpTimeout_s: 9,
  });
});

test('several lvs_timeouts add up, of one block or of two', () => {
  const { global } = configOf(
    'global_defs {\nlvs_timeouts tcp 5 udp 1\nlvs_timeouts udp 9\n}\nglobal_defs { lvs_timeouts tcpfin 7 }',
  );
  expect(global).toMatchObject({ tcpTimeout_s: 5, tcpFinTimeout_s: 7, udpTimeout_s: 9 });
});

test('static addresses: device, scope, label, broadcast and their defaults', () => {
  const text = `global_defs { default_interface eth7 }
static_ipaddress {
  10.0.0.1
  10.1.2.3/20 brd + dev eth1 label eth1:1 scope link
  10.1.2.4/20 brd -
  10.1.2.5/24 broadcast 10.1.2.9
  fd00::1/64 dev eth1
}`;
  const found = configOf(text).staticAddresses.map(({ origin, ...address }) => [origin.line, address]);
  const usual = { device: 'eth7', label: undefined, scope: 'global', broadcast: undefined };
  expect(found).toEqual([
    [3, { ...usual, address: '10.0.0.1', length: 32 }],
    [
      4,
      {
        address: '10.1.2.3',
        length: 20,
        device: 'eth1',
        label: 'eth1:1',
        scope: 'link',
        broadcast: '10.1.15.255',
      },
    ],
    [5, { ...usual, address: '10.1.2.4', length: 20, broadcast: '10.1.0.0' }],
    [6, { ...usual, address: '10.1.2.5', length: 24, broadcast: '10.1.2.9' }],
    [7, { ...usual, device: 'eth1', address: 'fd00::1', length: 64 }],
  ]);
  expect(codesOf('static_ipaddress {\n}\n')).toEqual([]);
});

test.each([
  ['10.0.0.1 home', 'not-in-effect-yet'],
  ['10.0.0.1 scope nowhere', 'not-in-effect-yet'],
  ['fd00::1 scope link', 'no-effect'],
  ['fd00::1 label lo:1', 'no-effect'],
  ['10.0.0.1\n10.0.0.1', 'duplicate-address'],
])('static address %j', (lines, code) => {
  expect(codesOf(`static_ipaddress {\n${lines}\n}`)).toEqual([code]);
});

test('director { } in full', () => {
  const text = `director {
    interface eth0 eth1
    workers 2
    cpu 0 2-4,6
    io af_packet
    offload tc
    connections 5000
    server_order config
    expire_nodest_conn 0
    expire_quiescent_template
    metrics [::1]:9100
    peer 10.0.0.2
    peer_key /etc/uvs/peer.key
}`;
  expect(configOf(text).director).toEqual({
    interfaces: ['eth0', 'eth1'],
    workers: 2,
    cpus: [0, 2, 3, 4, 6],
    io: 'af_packet',
    offload: 'tc',
    connections: 5000,
    serverOrder: 'config',
    expireNodestConn: 0,
    expireQuiescentTemplate: true,
    metrics: { address: '::1', port: 9100 },
    peer: { address: '10.0.0.2', port: 8848 },
    peerKeyFile: '/etc/uvs/peer.key',
  });
  expect(configOf('').director).toEqual(defaultDirectorSettings);
  expect(configOf('director {\npeer 10.0.0.2 1\nworkers auto\n}').director.peer?.port).toBe(1);
});

test('director: what is not there yet is named, what is there is not', () => {
  const text = (...lines: string[]) => `director {\n${lines.join('\n')}\n}`;
  const asked = text('workers 2', 'cpu 0-1', 'io af_xdp', 'offload xdp', 'peer 10.0.0.2', 'peer_key /k');
  expect(said(parseText(asked))).toEqual(
    [2, 3, 4, 5, 6, 7].map((line) => `${line}:1 warning not-in-effect-yet`),
  );
  const [workers, cpu] = parseText(asked).diagnostics;
  expect(workers?.message).toBe('workers 2 is not in effect yet: one worker runs');
  expect(cpu?.message).toBe('more than one CPU is not in effect yet: the worker runs on CPU 0');
  expect(codesOf(text('workers 1', 'cpu 3', 'io af_packet', 'offload none'))).toEqual([]);
  expect(codesOf(text('workers auto', 'io auto', 'offload auto', 'connections 100000000'))).toEqual([]);
});

test.each([
  'workers 0',
  'connections 100000001',
  'workers few',
  'cpu a',
  'io dpdk',
  'offload all',
  'metrics 9100',
  'metrics 10.0.0.1:0',
  'peer host',
  'server_order newest',
  'expire_nodest_conn 2',
  'nonsense 1',
  'interface',
])('director: %s is refused', (line) => {
  expect(parseText(`director {\n${line}\n}`).config).toBeUndefined();
});

test('director { } may stand alone in a second text, and diagnostics name that', () => {
  const directorConfig = { file: 'own.conf', text: 'director { workers 3 }' };
  expect(configOf('', { directorConfig }).director.workers).toBe(3);
  const [twice] = parseText('director { }', { directorConfig }).diagnostics;
  expect(twice).toMatchObject({ code: 'duplicate-block', origin: { file: 'own.conf', line: 1 } });
});

test('nopreempt and preempt_delay want state BACKUP', () => {
  const instance = (state: string, more: string) =>
    `vrrp_instance a {\nstate ${state}\n${more}\npriority 9\nvirtual_router_id 1\nno_virtual_ipaddress\n}`;
  expect(said(parseText(instance('MASTER', 'nopreempt\npreempt_delay 3')))).toEqual([
    '3:1 warning nopreempt-master',
    '4:1 warning no-effect',
  ]);
  expect(codesOf(instance('BACKUP', 'nopreempt'))).toEqual([]);
  expect(codesOf(instance('BACKUP', 'preempt_delay 3'))).toEqual([]);
});

test('--werror makes errors of warnings and notices', () => {
  const request = { warningsAreErrors: true };
  expect(parseText('bfd_instance a {\n}', request)).toMatchObject({
    config: undefined,
    diagnostics: [{ severity: 'error', code: 'not-in-effect-yet' }],
  });
  expect(parseText('global_defs { router_id a }', request).config).toBeDefined();
});
