// The bytes that cross between TypeScript and C++, held against test/support/rows.txt: test/unit/io/translate.cc holds
// the other side against the same bytes. Every field has a value of its own, so that no two can change places.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  counterCount,
  decodeConnections,
  decodeCounters,
  encodeService,
  encodeTable,
} from '../../../src/dataplane/table-codec.js';
import type { IpAddress } from '../../../src/model/address.js';
import type { ForwardingTable } from '../../../src/model/forwarding-table.js';
import type { ServiceId } from '../../../src/model/service-id.js';

const ip = (text: string) => text as IpAddress;

const table: ForwardingTable = {
  policy: {
    tcpTimeout_s: 0x01020304,
    tcpFinTimeout_s: 0x05060708,
    udpTimeout_s: 0x090a0b0c,
    connReuseMode: 3,
    expireNodestConn: 'move',
    sloppyTcp: true,
    expireQuiescentTemplate: true,
  },
  services: [
    {
      id: { kind: 'endpoint', protocol: 'tcp', address: ip('10.9.0.1'), port: 0x1234 },
      scheduler: 'sh',
      flags: ['sh-fallback'],
      onePacket: false,
      persistence: { timeout_s: 0x21222324, prefixLength: 24 },
      isDraining: true,
      isStandby: false,
      destinations: [
        {
          address: ip('10.1.0.2'),
          port: 0x2345,
          method: 'nat',
          weight: 0xabcd,
          upperThreshold: 0x0d0e0f10,
          lowerThreshold: 0x11121314,
          isRemoved: true,
        },
        {
          address: ip('10.1.0.3'),
          port: 0x3456,
          method: 'dr',
          weight: 1,
          upperThreshold: 2,
          lowerThreshold: 3,
        },
      ],
    },
    {
      id: { kind: 'endpoint', protocol: 'udp', address: ip('2001:db8:9::1'), port: 0x4567 },
      scheduler: 'mh',
      flags: ['mh-port'],
      onePacket: true,
      persistence: undefined,
      isDraining: false,
      isStandby: true,
      destinations: [],
    },
  ],
  closedAddresses: [ip('10.9.0.7'), ip('2001:db8:9::8')],
  clients: {
    allow: ['172.16.0.0/12'],
    deny: ['172.16.9.0/24', '2001:db8:7::/48'],
  },
};

const rows = new Map(
  readFileSync(new URL('../../support/rows.txt', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' ') as [string, string]),
);

test('a table becomes the bytes that C++ reads', () => {
  expect(Buffer.from(encodeTable(table)).toString('hex')).toBe(rows.get('table'));
});

test("C++'s bytes become connections", () => {
  expect(decodeConnections(Buffer.from(rows.get('connections') ?? '', 'hex'))).toEqual([
    {
      protocol: 'tcp',
      client: { address: '172.16.0.1', port: 0x1122 },
      virtual: { address: '10.9.0.1', port: 0x3344 },
      destination: { address: '10.1.0.2', port: 0x5566 },
      state: 'FIN_WAIT',
      expires_ms: 0x778899aa,
    },
    {
      protocol: 'udp',
      client: { address: '2001:db8::5', port: 1 },
      virtual: { address: '2001:db8:9::1', port: 2 },
      destination: { address: '2001:db8:1::2', port: 3 },
      state: 'UDP',
      expires_ms: 4,
    },
    {
      protocol: 'udp',
      client: { address: '172.16.0.0', port: 0 },
      virtual: { address: '10.9.0.1', port: 5 },
      destination: { address: '10.1.0.2', port: 6 },
      state: 'ASSURED',
      isTemplate: true,
      expires_ms: 7,
    },
  ]);
});

test.each<[ServiceId, { kind: number; protocol: number; family: number; port: number; mark: number }]>([
  [
    { kind: 'any-port', protocol: 'udp', address: ip('10.9.0.1') },
    { kind: 1, protocol: 17, family: 4, port: 0, mark: 0 },
  ],
  [
    { kind: 'mark', mark: 0xfedc_ba98, family: 6 },
    { kind: 2, protocol: 0, family: 6, port: 0, mark: 0xfedc_ba98 },
  ],
])('a service by %j', (id, expected) => {
  const [service] = table.services;
  if (service === undefined) throw new Error('no service');
  const bytes = encodeService({ ...service, id });
  const view = new DataView(bytes.buffer);
  expect({
    kind: view.getUint8(22),
    protocol: view.getUint8(18),
    family: view.getUint8(19),
    port: view.getUint16(16, true),
    mark: view.getUint32(28, true),
  }).toEqual(expected);
});

test("C++'s numbers become the counters of each service and destination", () => {
  const bytes = Buffer.from(rows.get('counters') ?? '', 'hex');
  const numbers = new BigUint64Array(new Uint8Array(bytes).buffer);
  const services = table.services.slice(0, 1);
  expect(numbers).toHaveLength(counterCount({ ...table, services }));
  const traffic = (
    ...[connections = 0n, inPackets = 0n, outPackets = 0n, inBytes = 0n, outBytes = 0n]: bigint[]
  ) => ({
    ...{ connections, inPackets, outPackets, inBytes, outBytes },
  });
  expect([...decodeCounters(services, numbers)]).toMatchObject([
    {
      traffic: traffic(0x0102030405060708n, 2n, 3n, 4n, 5n),
      destinations: [
        {
          ...{
            address: '10.1.0.2',
            active: 6,
            inactive: 7,
            persistent: 8,
            isOverloaded: true,
            isLocal: false,
          },
          traffic: traffic(9n, 10n, 11n, 12n, 13n),
        },
        {
          ...{
            address: '10.1.0.3',
            active: 14,
            inactive: 15,
            persistent: 16,
            isOverloaded: false,
            isLocal: true,
          },
          traffic: traffic(17n, 18n, 19n, 20n, 0xf0f1f2f3f4f5f6f7n),
        },
      ],
    },
  ]);
});
