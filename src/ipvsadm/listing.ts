// The texts of ipvsadm, byte for byte: services, statistics, rates, thresholds, persistence and connections. Pure
// formatting; who is asked for names is handed in.

import { familyOf, ipBytes } from '../model/address.js';
import type { LeftOutService } from '../model/director-config.js';
import { granularityText, type Persistence } from '../model/forwarding-table.js';
import {
  type DestinationId,
  endpointText,
  familyOfService,
  type Protocol,
  type ServiceId,
  writtenEndpoint,
} from '../model/service-id.js';
import type { ConnectionRecord, DestinationView, Traffic } from '../runtime/views.js';

/** What a listing shows of a service; the views of the API have it. */
export type ListedService = {
  readonly id: ServiceId;
  readonly scheduler: string;
  readonly flags: readonly string[];
  readonly onePacket: boolean;
  readonly persistence?: Persistence | undefined;
  /** What ipvsadm has no word for: `draining`, `standby`, `without HTTP_GET`. */
  readonly marks?: readonly string[];
  readonly traffic: Traffic;
  readonly rates: Record<keyof Traffic, number>;
  readonly destinations: readonly ListedDestination[];
};

export type ListedDestination = Pick<
  DestinationView,
  | 'address'
  | 'port'
  | 'method'
  | 'weight'
  | 'upperThreshold'
  | 'lowerThreshold'
  | 'active'
  | 'inactive'
  | 'persistent'
  | 'traffic'
  | 'rates'
>;

export type ListingKind = 'plain' | 'stats' | 'rate' | 'thresholds' | 'persistent-conn' | 'tun-info';

export type ListingOptions = {
  readonly kind: ListingKind;
  /** Counters in full instead of K, M, G, T. */
  readonly isExact: boolean;
  /** By protocol, address and port, as ipvsadm does unless told otherwise; false: the scheduler's order. */
  readonly isSorted: boolean;
};

/** `10.0.0.1:80` or `www.example.org:http`. */
export type NameEndpoint = (endpoint: DestinationId, protocol: Protocol) => string;

export const numericName: NameEndpoint = endpointText;

export function formatVersionLine(tableSize: number): string {
  return `IP Virtual Server version 1.2.1 (size=${tableSize})\n`;
}

/** For `toSorted`: by protocol, address and port, as ipvsadm does. */
export const inListedOrder = { services: compareServices, endpoints: compareEndpoints } as const;

/** The table below the version line. */
export function formatServices(
  services: readonly ListedService[],
  options: ListingOptions,
  name: NameEndpoint = numericName,
): string {
  const layout = layouts[options.kind];
  const ordered = options.isSorted ? services.toSorted(compareServices) : services;
  const lines = layout.head.map((line) => `${line}\n`);
  for (const service of ordered) {
    lines.push(`${layout.service(service, serviceName(service.id, name), options)}\n`);
    const rows = options.isSorted ? service.destinations.toSorted(compareEndpoints) : service.destinations;
    for (const row of rows) {
      const label = `  -> ${name(row, protocolOf(service.id)).padEnd(28)}`;
      lines.push(`${label}${layout.destination(row, options)}\n`);
    }
  }
  return lines.join('');
}

/** Services of the file that are not in the table, below it. */
export function formatLeftOut(leftOut: readonly LeftOutService[]): string {
  return leftOut
    .map(({ name, reason }) => `# not served: ${name}: ${reason} is not in effect yet\n`)
    .join('');
}

export const connectionsHead =
  'IPVS connection entries\npro expire state       source             virtual            destination\n';

export function formatConnections(
  connections: readonly ConnectionRecord[],
  name: NameEndpoint = numericName,
): string {
  return connections.map((connection) => `${connectionLine(connection, name)}\n`).join('');
}

export function formatTimeouts(timeouts: { tcp_s: number; tcpFin_s: number; udp_s: number }): string {
  return `Timeout (tcp tcpfin udp): ${timeouts.tcp_s} ${timeouts.tcpFin_s} ${timeouts.udp_s}\n`;
}

const serviceHead = 'Prot LocalAddress:Port'.padEnd(33);
const protocolNumber: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17 };

type Layout = {
  readonly head: readonly string[];
  readonly service: (service: ListedService, name: string, options: ListingOptions) => string;
  readonly destination: (row: ListedDestination, options: ListingOptions) => string;
};

const layouts: Readonly<Record<ListingKind, Layout>> = {
  plain: {
    head: [
      'Prot LocalAddress:Port Scheduler Flags',
      '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
    ],
    service: scheduledService,
    destination: (row) =>
      columns([methodName(row), 7], [row.weight, 6], [row.active, 10], [row.inactive, 10]),
  },
  'tun-info': {
    head: [
      'Prot LocalAddress:Port Scheduler Flags',
      '  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn',
    ],
    service: scheduledService,
    destination: (row) =>
      columns([methodName(row), 7], ['n/a', 13], [row.weight, 6], [row.active, 10], [row.inactive, 10]),
  },
  stats: {
    head: [countersHead('Conns', 'InPkts', 'OutPkts', 'InBytes', 'OutBytes'), '  -> RemoteAddress:Port'],
    service: (service, name, options) => serviceCounters(name, service.traffic, options),
    destination: (row, options) => counters(row.traffic, options),
  },
  rate: {
    head: [countersHead('CPS', 'InPPS', 'OutPPS', 'InBPS', 'OutBPS'), '  -> RemoteAddress:Port'],
    service: (service, name, options) => serviceCounters(name, service.rates, options),
    destination: (row, options) => counters(row.rates, options),
  },
  thresholds: {
    head: [
      `${serviceHead}${columns(['Uthreshold', 10], ['Lthreshold', 10], ['ActiveConn', 10], ['InActConn', 10])}`,
      '  -> RemoteAddress:Port',
    ],
    service: scheduledService,
    destination: (row) =>
      columns([row.upperThreshold, 10], [row.lowerThreshold, 10], [row.active, 10], [row.inactive, 10]),
  },
  'persistent-conn': {
    head: [
      `${serviceHead}${columns(['Weight', 9], ['PersistConn', 11], ['ActiveConn', 10], ['InActConn', 10])}`,
      '  -> RemoteAddress:Port',
    ],
    service: scheduledService,
    destination: (row) =>
      columns([row.weight, 9], [row.persistent, 11], [row.active, 10], [row.inactive, 10]),
  },
};

function scheduledService(service: ListedService, name: string): string {
  const flags = service.flags.length === 0 ? '' : ` (${service.flags.join(',')})`;
  const rest = `${persistenceText(service)}${service.onePacket ? ' ops' : ''}${marksText(service)}`;
  return `${name} ${service.scheduler}${flags}${rest}`;
}

/** The mask where it is not that of one address: in dots for IPv4, the prefix's length for IPv6. */
function persistenceText({ id, persistence }: ListedService): string {
  if (persistence === undefined) return '';
  const mask = granularityText(persistence, familyOfService(id));
  return ` persistent ${persistence.timeout_s}${mask === undefined ? '' : ` mask ${mask}`}`;
}

/** Behind the flags, where who reads ipvsadm's columns doesn't look. */
function marksText({ marks = [] }: ListedService): string {
  return marks.length === 0 ? '' : ` [${marks.join('; ')}]`;
}

function serviceCounters(
  name: string,
  values: Readonly<Record<keyof Traffic, number | bigint>>,
  options: ListingOptions,
): string {
  return `${name.padEnd(33)}${counters(values, options)}`;
}

/** `TCP  10.0.0.1:80`, `UDP  10.0.0.1:0` (every port), `FWM  3`, `FWM  3 IPv6`. */
function serviceName(id: ServiceId, name: NameEndpoint): string {
  if (id.kind === 'mark') return `FWM  ${id.mark}${id.family === 6 ? ' IPv6' : ''}`;
  return `${id.protocol.toUpperCase().padEnd(4)} ${name(writtenEndpoint(id), id.protocol)}`;
}

/** What a listing shows of it as address and port: every port is port 0, and a mark is no address. */
export function listedEndpoints(id: ServiceId): readonly DestinationId[] {
  return id.kind === 'mark' ? [] : [writtenEndpoint(id)];
}

/** The names of a marked service's ports are those of TCP. */
function protocolOf(id: ServiceId): Protocol {
  return id.kind === 'mark' ? 'tcp' : id.protocol;
}

function counters(
  values: Readonly<Record<keyof Traffic, number | bigint>>,
  { isExact }: ListingOptions,
): string {
  const { connections, inPackets, outPackets, inBytes, outBytes } = values;
  const write = isExact ? exactNumber : scaledNumber;
  return [connections, inPackets, outPackets, inBytes, outBytes]
    .map((value) => write(BigInt(value)))
    .join('');
}

/** Scales by thousands: from `above` on a number is written in units of `unit`. */
const scales = [
  { above: 100_000_000_000_000n, unit: 1_000_000_000_000n, suffix: 'T' },
  { above: 100_000_000_000n, unit: 1_000_000_000n, suffix: 'G' },
  { above: 1_000_000_000n, unit: 1_000_000n, suffix: 'M' },
  { above: 100_000_000n, unit: 1_000n, suffix: 'K' },
] as const;

function scaledNumber(value: bigint): string {
  const scale = scales.find(({ above }) => value >= above);
  if (scale === undefined) return String(value).padStart(9);
  return `${String(value / scale.unit).padStart(8)}${scale.suffix}`;
}

function exactNumber(value: bigint): string {
  const text = String(value);
  return text.padStart(Math.max(9, text.length + 1));
}

function countersHead(...names: readonly string[]): string {
  return `${serviceHead}${names.map((name) => ` ${name.padStart(8)}`).join('')}`;
}

/** Each with a space before it, padded to its width at the right. */
function columns(...cells: readonly (readonly [value: string | number, width: number])[]): string {
  return cells.map(([value, width]) => ` ${String(value).padEnd(width)}`).join('');
}

/** A server on the director itself is no case of its own, as in the kernel since 2.6.37. */
function methodName({ method }: ListedDestination): string {
  switch (method) {
    case 'nat':
      return 'Masq';
    case 'dr':
      return 'Route';
    default:
      return method satisfies never;
  }
}

function connectionLine(connection: ConnectionRecord, name: NameEndpoint): string {
  const { protocol, state, expires_ms } = connection;
  const seconds = Math.floor(expires_ms / 1_000);
  const expire = `${twoDigits(Math.floor(seconds / 60))}:${twoDigits(seconds % 60)}`;
  const [client, virtual, destination] = [connection.client, connection.virtual, connection.destination].map(
    (endpoint) => name(endpoint, protocol),
  );
  const head = `${protocol.toUpperCase().padEnd(3)} ${expire.padEnd(6)} ${state.padEnd(11)}`;
  return `${head} ${client?.padEnd(18)} ${virtual?.padEnd(18)} ${destination}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

type Listed = { readonly id: ServiceId };

/** Marks stand last, by their number. */
function compareServices({ id: a }: Listed, { id: b }: Listed): number {
  const [markOfA, markOfB] = [a, b].map((id) => (id.kind === 'mark' ? id.mark : 0));
  const [endpointOfA, endpointOfB] = [a, b].map((id) => listedEndpoints(id)[0]);
  return (
    (markOfA ?? 0) - (markOfB ?? 0) ||
    familyOfService(a) - familyOfService(b) ||
    protocolNumber[protocolOf(a)] - protocolNumber[protocolOf(b)] ||
    (endpointOfA && endpointOfB ? compareEndpoints(endpointOfA, endpointOfB) : 0)
  );
}

function compareEndpoints(a: DestinationId, b: DestinationId): number {
  return (
    familyOf(a.address) - familyOf(b.address) ||
    Buffer.compare(ipBytes(a.address), ipBytes(b.address)) ||
    a.port - b.port
  );
}
