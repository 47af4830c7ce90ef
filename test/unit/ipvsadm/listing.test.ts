// The listings of a live ipvsadm, rebuilt byte by byte: each recorded text is read back into the values it shows, and
// those are formatted again.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ConnectionRecord, Traffic } from '../../../src/dataplane/port.js';
import {
  connectionsHead,
  formatConnections,
  formatServices,
  formatTimeouts,
  formatVersionLine,
  type ListedDestination,
  type ListedService,
  type ListingKind,
  numericName,
} from '../../../src/ipvsadm/listing.js';
import type { IpAddress } from '../../../src/model/address.js';
import type { ForwardingMethod } from '../../../src/model/forwarding-table.js';
import type { DestinationId } from '../../../src/model/service-id.js';
import { addressService } from '../../../src/model/service-id.js';

const recorded = ['dr-rr', 'dr-wlc', 'nat-lc', 'nat-wrr'];
const listings: [command: string, kind: ListingKind, isExact: boolean, isSorted: boolean][] = [
  ['ipvsadm -Ln', 'plain', false, true],
  ['ipvsadm -Ln --nosort', 'plain', false, false],
  ['ipvsadm -Ln --stats', 'stats', false, true],
  ['ipvsadm -Ln --exact --stats', 'stats', true, true],
  ['ipvsadm -Ln --rate', 'rate', false, true],
  ['ipvsadm -Ln --thresholds', 'thresholds', false, true],
  ['ipvsadm -Ln --persistent-conn', 'persistent-conn', false, true],
];

describe.each(recorded)('%s', (name) => {
  const outputs = readRecording(name);

  test.each(listings)('%s', (command, kind, isExact, isSorted) => {
    const output = outputs.get(command) ?? '';
    const service = readService(outputs);
    const rows = readRows(output, kind);
    const own = kind === 'stats' || kind === 'rate' ? readNumbers(output.split('\n')[3] ?? '') : noNumbers;
    // Against the order of the text where the listing sorts by itself.
    const destinations = (isSorted ? rows.toReversed() : rows).map((row) => ({ ...service.row, ...row }));
    const listed = { ...service.head, ...own, destinations };
    expect(formatVersionLine(4096) + formatServices([listed], { kind, isExact, isSorted })).toBe(output);
  });

  test('ipvsadm -Lnc', () => {
    const output = outputs.get('ipvsadm -Lnc') ?? '';
    const connections = output.split('\n').slice(2, -1).map(readConnection);
    expect(connections.length).toBeGreaterThan(5);
    expect(connectionsHead + formatConnections(connections)).toBe(output);
  });
});

test('services come by family, protocol, address as a number, and port; marks last, by number', () => {
  const service = (protocol: 'tcp' | 'udp', address: string, port: number): ListedService => ({
    ...emptyService,
    id: addressService(protocol, address as IpAddress, port),
  });
  const mark = (number: number, family: 4 | 6): ListedService => ({
    ...emptyService,
    id: { kind: 'mark', mark: number, family },
  });
  const services = [
    mark(300, 4),
    mark(4, 6),
    mark(2, 4),
    service('tcp', 'fd00::1', 80),
    service('udp', '10.0.0.1', 53),
    service('tcp', '10.0.0.10', 80),
    service('tcp', '10.0.0.9', 443),
    service('tcp', '10.0.0.9', 80),
    service('tcp', '10.0.0.9', 0),
  ];
  const text = formatServices(services, { kind: 'plain', isExact: false, isSorted: true });
  expect(text.split('\n').slice(2, -1)).toEqual([
    'TCP  10.0.0.9:0 rr',
    'TCP  10.0.0.9:80 rr',
    'TCP  10.0.0.9:443 rr',
    'TCP  10.0.0.10:80 rr',
    'UDP  10.0.0.1:53 rr',
    'TCP  [fd00::1]:80 rr',
    'FWM  2 rr',
    'FWM  4 IPv6 rr',
    'FWM  300 rr',
  ]);
});

test('flags, one-packet scheduling and local servers', () => {
  const local = { ...emptyRow, address: '10.0.0.1' as IpAddress, port: 80 };
  const service: ListedService = {
    ...emptyService,
    id: addressService('udp', '10.0.0.1' as IpAddress, 80),
    scheduler: 'sh',
    flags: ['sh-fallback', 'sh-port'],
    onePacket: true,
    destinations: [local],
  };
  const text = formatServices([service], { kind: 'plain', isExact: false, isSorted: true });
  expect(text.split('\n').slice(2)).toEqual([
    'UDP  10.0.0.1:80 sh (sh-fallback,sh-port) ops',
    '  -> 10.0.0.1:80                  Masq    1      0          0         ',
    '',
  ]);
});

test.each([
  ['10.0.0.1', 360, 32, ' persistent 360'],
  ['10.0.0.1', 50, 24, ' persistent 50 mask 255.255.255.0'],
  ['10.0.0.1', 50, 27, ' persistent 50 mask 255.255.255.224'],
  ['10.0.0.1', 50, 0, ' persistent 50 mask 0.0.0.0'],
  ['fd00::1', 50, 128, ' persistent 50'],
  ['fd00::1', 50, 64, ' persistent 50 mask 64'],
])('persistence of %s for %s s by /%s', (address, timeout_s, prefixLength, expected) => {
  const service: ListedService = {
    ...emptyService,
    id: addressService('tcp', address as IpAddress, 80),
    onePacket: true,
    persistence: { timeout_s, prefixLength },
  };
  const text = formatServices([service], { kind: 'plain', isExact: false, isSorted: true });
  expect(text.split('\n')[2]).toBe(
    `TCP  ${numericName({ address: address as IpAddress, port: 80 }, 'tcp')} rr${expected} ops`,
  );
});

test.each([
  [99_999_999n, ' 99999999', ' 99999999'],
  [100_000_000n, '  100000K', ' 100000000'],
  [1_000_000_000n, '    1000M', ' 1000000000'],
  [100_000_000_000n, '     100G', ' 100000000000'],
  [100_000_000_000_000n, '     100T', ' 100000000000000'],
])('%d is scaled to %j, and is %j with --exact', (value, scaled, exact) => {
  const service = { ...emptyService, traffic: { ...noTraffic, outBytes: value } };
  const line = (isExact: boolean) =>
    formatServices([service], { kind: 'stats', isExact, isSorted: true }).split('\n')[2] ?? '';
  expect(line(false).slice(69)).toBe(scaled);
  expect(line(true).slice(69)).toBe(exact);
});

test('timeouts', () => {
  expect(formatTimeouts({ tcp_s: 900, tcpFin_s: 120, udp_s: 300 })).toBe(
    'Timeout (tcp tcpfin udp): 900 120 300\n',
  );
});

const noTraffic: Traffic = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };
const noRates = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 };
const noNumbers = { traffic: noTraffic, rates: noRates };

const emptyRow: ListedDestination = {
  address: '10.0.0.1' as IpAddress,
  port: 80,
  method: 'nat',
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
  active: 0,
  inactive: 0,
  persistent: 0,
  ...noNumbers,
};

const emptyService: ListedService = {
  id: { kind: 'endpoint', protocol: 'tcp', address: '10.0.0.1' as IpAddress, port: 80 },
  scheduler: 'rr',
  flags: [],
  onePacket: false,
  destinations: [],
  ...noNumbers,
};

function readRecording(name: string): Map<string, string> {
  const text = readFileSync(new URL(`../../golden/listings/${name}.txt`, import.meta.url), 'utf8');
  return new Map(
    text
      .split(/^\$ /m)
      .slice(1)
      .map((part): [string, string] => {
        const end = part.indexOf('\n');
        return [part.slice(0, end), part.slice(end + 1)];
      }),
  );
}

function readService(outputs: Map<string, string>): { head: ListedService; row: ListedDestination } {
  const [, , , line = '', first = ''] = (outputs.get('ipvsadm -Ln') ?? '').split('\n');
  const [, address = '', scheduler = ''] = line.split(/\s+/);
  const methods: Record<string, ForwardingMethod> = { Masq: 'nat', Route: 'dr' };
  const method = methods[first.trim().split(/\s+/)[2] ?? ''] ?? 'nat';
  const endpoint = readEndpoint(address);
  const id = addressService('tcp', endpoint.address, endpoint.port);
  return { head: { ...emptyService, id, scheduler }, row: { ...emptyRow, method } };
}

function readRows(output: string, kind: ListingKind): Partial<ListedDestination>[] {
  const rows = output.split('\n').filter((line) => /^ {2}-> \d/.test(line));
  return rows.map((line): Partial<ListedDestination> => {
    const [, name = '', ...cells] = line.trim().split(/\s+/);
    const endpoint = readEndpoint(name);
    const [a = 0, b = 0, active = 0, inactive = 0] = cells.map(Number);
    switch (kind) {
      case 'plain':
        return { ...endpoint, weight: b, active, inactive };
      case 'stats':
      case 'rate':
        return { ...endpoint, ...readNumbers(line) };
      case 'thresholds':
        return { ...endpoint, upperThreshold: a, lowerThreshold: b, active, inactive };
      case 'persistent-conn':
        return { ...endpoint, weight: a, persistent: b, active, inactive };
      case 'tun-info':
        throw new Error('recorded by none of them');
      default:
        return kind satisfies never;
    }
  });
}

function readNumbers(line: string): { traffic: Traffic; rates: Record<keyof Traffic, number> } {
  const [connections = 0, inPackets = 0, outPackets = 0, inBytes = 0, outBytes = 0] = line
    .trim()
    .split(/\s+/)
    .slice(2)
    .map(Number);
  const rates = { connections, inPackets, outPackets, inBytes, outBytes };
  const traffic = Object.fromEntries(Object.entries(rates).map(([name, value]) => [name, BigInt(value)]));
  return { rates, traffic: traffic as Traffic };
}

function readConnection(line: string): ConnectionRecord {
  const [protocol = '', expire = '', state = '', client = '', virtual = '', destination = ''] =
    line.split(/\s+/);
  const [minutes = 0, seconds = 0] = expire.split(':').map(Number);
  return {
    protocol: protocol === 'TCP' ? 'tcp' : 'udp',
    client: readEndpoint(client),
    virtual: readEndpoint(virtual),
    destination: readEndpoint(destination),
    state,
    expires_ms: (minutes * 60 + seconds) * 1_000 + 999,
  };
}

function readEndpoint(text: string): DestinationId {
  const [address = '', port = ''] = text.split(':');
  return { address: address as IpAddress, port: Number(port) };
}
