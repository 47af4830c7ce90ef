// The in-memory twin of the native data plane: behaves as the port says and moves no packet. For tests of the control
// plane, and for anybody who wants a director without privileges. Test hooks stand in for traffic and for the machine.

import { DirectorError } from '../errors.js';
import { maxClientNetworks } from '../model/client-rules.js';
import {
  type Destination,
  emptyTable,
  type ForwardingTable,
  type Service,
} from '../model/forwarding-table.js';
import { type DestinationId, endpointText, type ServiceId, serviceKey } from '../model/service-id.js';
import { type Belonging, type CustodyOutcome, MemoryCustody } from './custody.js';
import type {
  ConnectionPage,
  ConnectionRecord,
  Dataplane,
  DataplaneEvent,
  DataplaneOptions,
  DataplaneStatus,
  DestinationStatus,
  HostAddress,
  LocalAddress,
  ServiceStatus,
  Traffic,
} from './port.js';

import { requireServed } from './served.js';

export type MemoryLimits = {
  readonly services: number;
  /** Over all services. */
  readonly destinations: number;
  readonly clientNetworks: number;
};

const defaultLimits: MemoryLimits = {
  services: 65_536,
  destinations: 65_536,
  clientNetworks: maxClientNetworks,
};

type Slot = { active: number; inactive: number; persistent: number; traffic: Traffic };
/** What is kept of a service over publishes, as in the native slots; destinations by their endpoint. */
type ServiceSlot = { traffic: Traffic; readonly destinations: Map<string, Slot> };
/** A published row with its slots found. */
type Row = { readonly service: Service; readonly slot: ServiceSlot; readonly slots: readonly Slot[] };

const noTraffic: Traffic = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };

/** What a test may set: the state that traffic would have made. */
export type Counts = { readonly active?: number; readonly inactive?: number; readonly persistent?: number };

export class MemoryDataplane implements Dataplane {
  /** Every table that was published, the newest last. */
  readonly published: ForwardingTable[] = [];
  /** Set to make the next publishes fail. */
  publishFailure: DirectorError | undefined;
  /** Addresses on this machine's devices. */
  readonly addresses = new Map<string, LocalAddress>();
  readonly devices: Set<string>;

  private state: 'new' | 'running' | 'stopped' = 'new';
  private table: ForwardingTable = emptyTable;
  private generation = 0;
  private options: DataplaneOptions | undefined;
  private report: (event: DataplaneEvent) => void = () => {};
  private rows: readonly Row[] = [];
  private readonly custody = new MemoryCustody();
  private readonly slots = new Map<string, ServiceSlot>();
  private connectionList: readonly ConnectionRecord[] = [];

  constructor(
    private readonly limits: MemoryLimits = defaultLimits,
    devices: readonly string[] = ['eth0'],
  ) {
    this.devices = new Set(devices);
  }

  async start(options: DataplaneOptions, onEvent: (event: DataplaneEvent) => void): Promise<void> {
    if (this.state !== 'new')
      throw new DirectorError('ALREADY_RUNNING', 'this data plane was started before');
    for (const name of options.interfaces ?? []) this.requireDevice(name);
    this.options = options;
    this.report = onEvent;
    this.state = 'running';
  }

  async publish(table: ForwardingTable): Promise<number> {
    this.requireRunning();
    if (this.publishFailure !== undefined) throw this.publishFailure;
    requireServed(table);
    const destinationCount = table.services.reduce((sum, service) => sum + service.destinations.length, 0);
    requireBelow('services', table.services.length, this.limits.services);
    requireBelow('destinations', destinationCount, this.limits.destinations);
    const { allow, deny } = table.clients;
    requireBelow('networks of clients', allow.length + deny.length, this.limits.clientNetworks);
    this.placeRows(table);
    this.table = table;
    this.published.push(table);
    this.generation += 1;
    return this.generation;
  }

  /** Publishing costs nothing here. */
  prepare(): void {}

  prepareClients(): Iterable<void> {
    return [];
  }

  services(): Iterable<ServiceStatus> {
    return this.rows.map(({ service, slot, slots }) => ({
      id: service.id,
      traffic: slot.traffic,
      destinations: service.destinations.map((row, i) => this.destinationStatus(row, slots[i] ?? newSlot())),
    }));
  }

  async connections(limit: number, after = 0): Promise<ConnectionPage> {
    const end = after + limit;
    const next = end < this.connectionList.length ? end : undefined;
    return { connections: this.connectionList.slice(after, end), next };
  }

  status(): DataplaneStatus {
    return {
      generation: this.generation,
      tableSize: 4096,
      connectionCount: this.connectionList.length,
      connectionLimit: this.options?.connections ?? 0,
      verdicts: { forward: 0n, answer: 0n, toHost: 0n, drop: 0n, held: 0n },
      drops: [],
      flowEvents: [],
      passes: [],
      custody: this.custody.status,
      devices: [...this.devices].map((name, i) => ({
        name,
        ifindex: i + 2,
        mac: '02:00:00:00:00:01',
        mtu: 1500,
        isAttached: this.state === 'running',
        reason: this.state === 'running' ? undefined : 'not started',
      })),
      io: 'memory: no packet is moved',
      steering: 'none',
    };
  }

  zero(): void {
    for (const service of this.slots.values()) {
      service.traffic = noTraffic;
      for (const slot of service.destinations.values()) slot.traffic = noTraffic;
    }
  }

  localAddresses(): readonly LocalAddress[] {
    this.requireRunning();
    return [...this.addresses.values()];
  }

  lookAfter(belongings: readonly Belonging[]): Promise<readonly CustodyOutcome[]> {
    this.requireRunning();
    return this.custody.look(belongings, async (belonging) => {
      if (belonging.kind !== 'address' || this.addresses.has(placeText(belonging.address))) return false;
      await this.addAddress(belonging.address);
      return true;
    });
  }

  async addAddress(address: HostAddress): Promise<void> {
    this.requireRunning();
    this.requireDevice(address.device);
    this.putAddress(address);
  }

  async removeAddress(address: HostAddress): Promise<void> {
    this.requireRunning();
    this.addresses.delete(placeText(address));
  }

  /** Nobody comes after this one. */
  async leaveAddress(address: HostAddress): Promise<void> {
    await this.removeAddress(address);
  }

  async takeUpAddress(): Promise<boolean> {
    this.requireRunning();
    return false;
  }

  async settle(): Promise<void> {
    this.requireRunning();
  }

  async stop(): Promise<void> {
    this.state = 'stopped';
    this.table = emptyTable;
    this.rows = [];
    this.report = () => {};
  }

  // Test hooks from here on.

  putAddress({ address, prefixLength, device }: LocalAddress): void {
    const place = { address, prefixLength, device };
    this.addresses.set(placeText(place), place);
  }

  /** The table in force. */
  get current(): ForwardingTable {
    return this.table;
  }

  emit(event: DataplaneEvent): void {
    this.report(event);
  }

  setCounts(service: ServiceId, destination: DestinationId, counts: Counts): void {
    Object.assign(this.destinationSlot(service, destination), counts);
  }

  addTraffic(service: ServiceId, destination: DestinationId, traffic: Partial<Traffic>): void {
    const slots = [this.serviceSlot(service), this.destinationSlot(service, destination)];
    for (const slot of slots) slot.traffic = sumTraffic(slot.traffic, traffic);
  }

  setConnections(connections: readonly ConnectionRecord[]): void {
    this.connectionList = connections;
  }

  private destinationStatus(destination: Destination, slot: Slot): DestinationStatus {
    const { active, inactive, persistent, traffic } = slot;
    const count = active + inactive + persistent;
    return {
      address: destination.address,
      port: destination.port,
      method: destination.method,
      weight: destination.weight,
      upperThreshold: destination.upperThreshold,
      lowerThreshold: destination.lowerThreshold,
      active,
      inactive,
      persistent,
      isOverloaded: destination.upperThreshold > 0 && count >= destination.upperThreshold,
      isLocal: [...this.addresses.values()].some(({ address }) => address === destination.address),
      traffic,
    };
  }

  private serviceSlot(service: ServiceId): ServiceSlot {
    return getOrAdd(this.slots, serviceKey(service), () => ({ traffic: noTraffic, destinations: new Map() }));
  }

  private destinationSlot(service: ServiceId, destination: DestinationId): Slot {
    return getOrAdd(this.serviceSlot(service).destinations, endpointText(destination), newSlot);
  }

  /** Finds every row's slots. A slot lives as long as its row is in the table, or connections hold it. */
  private placeRows(next: ForwardingTable): void {
    const known = new Map(this.rows.map((row) => [row.service, row]));
    this.rows = next.services.map((service) => known.get(service) ?? this.placeRow(service));
    const kept = new Set(this.rows.map(({ slot }) => slot));
    for (const [key, slot] of this.slots) if (!kept.has(slot)) this.slots.delete(key);
  }

  private placeRow(service: Service): Row {
    const slot = this.serviceSlot(service.id);
    const slots = service.destinations.map((destination) => this.destinationSlot(service.id, destination));
    const kept = new Set(slots);
    for (const [key, old] of slot.destinations) {
      if (!kept.has(old) && old.active + old.inactive + old.persistent === 0) slot.destinations.delete(key);
    }
    return { service, slot, slots };
  }

  private requireRunning(): void {
    if (this.state !== 'running') throw new DirectorError('NOT_RUNNING', 'the data plane is not running');
  }

  private requireDevice(name: string): void {
    if (this.devices.has(name)) return;
    throw new DirectorError('DEVICE_MISSING', `there is no device ${name} on this machine`);
  }
}

function requireBelow(what: string, count: number, limit: number): void {
  if (count <= limit) return;
  throw new DirectorError('LIMIT_REACHED', `${count} ${what} are more than the data plane takes (${limit})`);
}

function newSlot(): Slot {
  return { active: 0, inactive: 0, persistent: 0, traffic: noTraffic };
}

function sumTraffic(a: Traffic, b: Partial<Traffic>): Traffic {
  return {
    connections: a.connections + (b.connections ?? 0n),
    inPackets: a.inPackets + (b.inPackets ?? 0n),
    outPackets: a.outPackets + (b.outPackets ?? 0n),
    inBytes: a.inBytes + (b.inBytes ?? 0n),
    outBytes: a.outBytes + (b.outBytes ?? 0n),
  };
}

function getOrAdd<V>(map: Map<string, V>, key: string, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

function placeText({ address, prefixLength, device }: LocalAddress): string {
  return `${address}/${prefixLength} ${device}`;
}
