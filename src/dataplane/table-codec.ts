// The bytes in which a forwarding table crosses into the addon, and in which connections and counters come back.
// Little-endian, fixed-width; addon/dataplane/translate.h states the same layout, and test/support/rows.txt holds both
// to it. The bytes of a service and of the clients' networks are kept as long as the value lives, so publishing costs what
// changed.

import { type Family, familyOf, formatIp, type IpAddress, ipBytes } from '../model/address.js';
import type { ClientRules } from '../model/client-rules.js';
import type { Destination, ForwardingTable, Service } from '../model/forwarding-table.js';
import { forwardingMethods, nodestRules, schedulerFlags } from '../model/forwarding-table.js';
import { familyOfService, type Protocol, type ServiceId } from '../model/service-id.js';
import type { ConnectionRecord, DestinationStatus, ServiceStatus, Traffic } from './port.js';

const headerSize = 32;
const serviceSize = 64;
const destinationSize = 32;
const closedAddressSize = 32;
const clientSize = 32;
const clientsPerStep = 64;
const protocolNumbers = { tcp: 6, udp: 17 } as const satisfies Record<Protocol, number>;

/** What a service is known by; the addon refuses what it doesn't serve yet. */
const serviceKinds = { endpoint: 0, 'any-port': 1, mark: 2 } as const satisfies Record<
  ServiceId['kind'],
  number
>;

const policySloppyTcp = 1;
const policyExpireQuiescentTemplate = 2;
const flagOnePacket = 1;
const flagDraining = 2;
const flagStandby = 4;
/** Of a destination, above its weight. */
const flagRemoved = 1;

/** The whole table as one buffer. */
export function encodeTable(table: ForwardingTable): Uint8Array<ArrayBuffer> {
  const parts = table.services.map(encodeService);
  const servicesSize = parts.reduce((sum, part) => sum + part.length, 0);
  const clients = bytesOfClients(table.clients);
  const closedSize = table.closedAddresses.length * closedAddressSize;
  const size = headerSize + servicesSize + closedSize + clients.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const { policy } = table;
  view.setUint32(0, table.services.length, true);
  view.setUint32(4, policy.tcpTimeout_s, true);
  view.setUint32(8, policy.tcpFinTimeout_s, true);
  view.setUint32(12, policy.udpTimeout_s, true);
  view.setUint8(16, policy.connReuseMode);
  view.setUint8(17, nodestRules.indexOf(policy.expireNodestConn));
  view.setUint8(
    18,
    (policy.sloppyTcp ? policySloppyTcp : 0) |
      (policy.expireQuiescentTemplate ? policyExpireQuiescentTemplate : 0),
  );
  view.setUint32(20, table.closedAddresses.length, true);
  view.setUint32(24, clients.length / clientSize, true);
  let offset = headerSize;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  for (const address of table.closedAddresses) {
    bytes.set(ipBytes(address), offset);
    view.setUint8(offset + 19, familyOf(address));
    offset += closedAddressSize;
  }
  bytes.set(clients, offset);
  return bytes;
}

const encodedClients = new WeakMap<ClientRules, Uint8Array>();

function bytesOfClients(clients: ClientRules): Uint8Array {
  const steps = encodeClients(clients);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The networks' rows, in steps; kept, so that a second call costs nothing. */
export function* encodeClients(clients: ClientRules): Generator<void, Uint8Array> {
  const known = encodedClients.get(clients);
  if (known !== undefined) return known;
  const { allow, deny } = clients;
  const bytes = new Uint8Array((allow.length + deny.length) * clientSize);
  for (const [i, network] of [...allow, ...deny].entries()) {
    const [address, length] = network.split('/') as [IpAddress, string];
    const at = i * clientSize;
    bytes.set(ipBytes(address), at);
    bytes[at + 16] = Number(length);
    bytes[at + 17] = i < allow.length ? 1 : 0;
    bytes[at + 19] = familyOf(address);
    if (i % clientsPerStep === clientsPerStep - 1) yield;
  }
  encodedClients.set(clients, bytes);
  return bytes;
}

const encoded = new WeakMap<Service, Uint8Array>();

/** One service's rows; kept, so that a second call costs nothing. */
export function encodeService(service: Service): Uint8Array {
  const known = encoded.get(service);
  if (known !== undefined) return known;
  const bytes = new Uint8Array(serviceSize + service.destinations.length * destinationSize);
  const view = new DataView(bytes.buffer);
  encodeServiceId(service.id, bytes, view);
  view.setUint8(20, schedulerFlagBits(service));
  view.setUint8(21, serviceFlags(service));
  view.setUint8(23, service.persistence?.prefixLength ?? 0);
  view.setUint32(24, service.destinations.length, true);
  bytes.set(new TextEncoder().encode(service.scheduler), 32);
  view.setUint32(48, service.persistence?.timeout_s ?? 0, true);
  for (const [i, destination] of service.destinations.entries()) {
    encodeDestination(destination, bytes, view, serviceSize + i * destinationSize);
  }
  encoded.set(service, bytes);
  return bytes;
}

function schedulerFlagBits({ scheduler, flags }: Service): number {
  const set = schedulerFlags.filter((flag) => flag.scheduler === scheduler && flags.includes(flag.name));
  return set.reduce((bits, { bit }) => bits | bit, 0);
}

function encodeServiceId(id: ServiceId, bytes: Uint8Array, view: DataView): void {
  view.setUint8(19, familyOfService(id));
  view.setUint8(22, serviceKinds[id.kind]);
  switch (id.kind) {
    case 'endpoint':
      bytes.set(ipBytes(id.address), 0);
      view.setUint16(16, id.port, true);
      view.setUint8(18, protocolNumbers[id.protocol]);
      return;
    case 'any-port':
      bytes.set(ipBytes(id.address), 0);
      view.setUint8(18, protocolNumbers[id.protocol]);
      return;
    case 'mark':
      view.setUint32(28, id.mark, true);
      return;
    default:
      id satisfies never;
  }
}

function serviceFlags(service: Service): number {
  return (
    (service.onePacket ? flagOnePacket : 0) |
    (service.isDraining ? flagDraining : 0) |
    (service.isStandby ? flagStandby : 0)
  );
}

function encodeDestination(destination: Destination, bytes: Uint8Array, view: DataView, at: number): void {
  bytes.set(ipBytes(destination.address), at);
  view.setUint16(at + 16, destination.port, true);
  view.setUint8(at + 18, forwardingMethods.indexOf(destination.method));
  view.setUint8(at + 19, familyOf(destination.address));
  view.setUint32(at + 20, destination.weight, true);
  view.setUint8(at + 23, destination.isRemoved ? flagRemoved : 0);
  view.setUint32(at + 24, destination.upperThreshold, true);
  view.setUint32(at + 28, destination.lowerThreshold, true);
}

/** Bytes of one connection row. */
export const connectionRowSize = 64;

/** The rows that the addon wrote for a page of connections. */
export function decodeConnections(rows: Uint8Array): ConnectionRecord[] {
  const view = new DataView(rows.buffer, rows.byteOffset, rows.byteLength);
  const records: ConnectionRecord[] = [];
  for (let at = 0; at + connectionRowSize <= rows.length; at += connectionRowSize) {
    const family = view.getUint8(at) as Family;
    const protocol: Protocol = view.getUint8(at + 1) === protocolNumbers.tcp ? 'tcp' : 'udp';
    const endpoint = (addressAt: number, portAt: number) => ({
      address: addressAtRow(rows, at + addressAt, family),
      port: view.getUint16(at + portAt, true),
    });
    records.push({
      protocol,
      client: endpoint(16, 4),
      virtual: endpoint(32, 6),
      destination: endpoint(48, 8),
      state: stateName(protocol, view.getUint8(at + 2), view.getUint8(at + 3)),
      ...((view.getUint8(at + 3) & flagTemplate) === 0 ? {} : { isTemplate: true }),
      expires_ms: view.getUint32(at + 12, true),
    });
  }
  return records;
}

/** Of a connection. */
const flagTemplate = 1;
const flagAssured = 2;

function stateName(protocol: Protocol, state: number, flags: number): string {
  if ((flags & flagTemplate) !== 0) return (flags & flagAssured) !== 0 ? 'ASSURED' : 'NONE';
  return protocol === 'udp' ? 'UDP' : (tcpStates[state] ?? 'NONE');
}

const tcpStates = [
  'NONE',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'SYNACK',
] as const;

function addressAtRow(rows: Uint8Array, at: number, family: Family): IpAddress {
  return formatIp(rows.subarray(at, at + (family === 4 ? 4 : 16)));
}

/** Numbers of a service: connections, in packets, out packets, in bytes, out bytes. */
const serviceCounters = 5;
/** Numbers of a destination: active, inactive, persistent, flags, then as for a service. */
const destinationCounters = 9;
const flagOverloaded = 1n;
const flagLocal = 2n;

/** How many 64-bit numbers the counters of `table` take: each service's, followed by its destinations'. */
export function counterCount(table: ForwardingTable): number {
  return table.services.reduce(
    (sum, service) => sum + serviceCounters + service.destinations.length * destinationCounters,
    0,
  );
}

/** The numbers that the addon wrote for the counters of a table with `services`; made as they are taken. */
export function* decodeCounters(
  services: readonly Service[],
  numbers: BigUint64Array,
): Generator<ServiceStatus, void> {
  let at = 0;
  for (const service of services) {
    yield serviceStatus(service, numbers, at);
    at += serviceCounters + service.destinations.length * destinationCounters;
  }
}

function serviceStatus(service: Service, numbers: BigUint64Array, at: number): ServiceStatus {
  return {
    id: service.id,
    traffic: trafficAt(numbers, at),
    destinations: service.destinations.map((destination, i): DestinationStatus => {
      const row = at + serviceCounters + i * destinationCounters;
      const flags = numbers[row + 3] ?? 0n;
      return {
        ...destination,
        active: Number(numbers[row]),
        inactive: Number(numbers[row + 1]),
        persistent: Number(numbers[row + 2]),
        isOverloaded: (flags & flagOverloaded) !== 0n,
        isLocal: (flags & flagLocal) !== 0n,
        traffic: trafficAt(numbers, row + 4),
      };
    }),
  };
}

function trafficAt(numbers: BigUint64Array, at: number): Traffic {
  return {
    connections: numbers[at] ?? 0n,
    inPackets: numbers[at + 1] ?? 0n,
    outPackets: numbers[at + 2] ?? 0n,
    inBytes: numbers[at + 3] ?? 0n,
    outBytes: numbers[at + 4] ?? 0n,
  };
}
