// The data plane of the addon behind the port: packets in C++, values here. Keeps the table last published, because
// counters come back as bare numbers in its order.

import type { ClientRules } from '../model/client-rules.js';
import { emptyTable, type ForwardingTable, type Service } from '../model/forwarding-table.js';
import type { Belonging, CustodyOutcome } from './custody.js';
import { coded, loadNative, type NativeCore, type NativeDataplane } from './native-module.js';
import type {
  ConnectionPage,
  Dataplane,
  DataplaneEvent,
  DataplaneOptions,
  DataplaneStatus,
  HostAddress,
  LocalAddress,
  ServiceStatus,
} from './port.js';
import { requireServed } from './served.js';
import {
  counterCount,
  decodeConnections,
  decodeCounters,
  encodeClients,
  encodeService,
  encodeTable,
} from './table-codec.js';

/** A data plane on this machine's devices; start() needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF. */
export function createNativeDataplane(): Dataplane {
  return new NativePort(new (loadNative().Dataplane)());
}

/** The part of the port that native data planes share: tables out, counters and connections back. */
export class NativeTables {
  private table: ForwardingTable = emptyTable;
  private publishing: Promise<unknown> = Promise.resolve();

  constructor(private readonly core: NativeCore) {}

  /** One at a time and in order: the addon builds on threads that might overtake each other. */
  publish(table: ForwardingTable): Promise<number> {
    const published = this.publishing.then(async () => {
      requireServed(table);
      const generation = await checked(() => this.core.publish(encodeTable(table)));
      // The addon switches the order of its counters in the same turn of the event loop that resolves the promise.
      this.table = table;
      return generation;
    });
    this.publishing = published.catch(() => undefined);
    return published;
  }

  /** Resolves when nothing is being published. */
  async idle(): Promise<void> {
    await this.publishing;
  }

  /** The counters are read here; the rows are made as the caller takes them. */
  services(): Iterable<ServiceStatus> {
    const numbers = new BigUint64Array(counterCount(this.table));
    this.core.readCounters(numbers);
    return decodeCounters(this.table.services, numbers);
  }

  async connections(limit: number, after = 0): Promise<ConnectionPage> {
    const { rows, next } = await checked(() => this.core.connections(limit, after));
    return { connections: decodeConnections(rows), next };
  }
}

class NativePort implements Dataplane {
  private readonly tables: NativeTables;

  constructor(private readonly native: NativeDataplane) {
    this.tables = new NativeTables(native);
  }

  async start(options: DataplaneOptions, onEvent: (event: DataplaneEvent) => void): Promise<void> {
    await checked(() => this.native.start(options, onEvent));
  }

  publish(table: ForwardingTable): Promise<number> {
    return this.tables.publish(table);
  }

  services(): Iterable<ServiceStatus> {
    return this.tables.services();
  }

  prepare(service: Service): void {
    encodeService(service);
  }

  prepareClients(clients: ClientRules): Iterable<void> {
    return encodeClients(clients);
  }

  connections(limit: number, after?: number): Promise<ConnectionPage> {
    return this.tables.connections(limit, after);
  }

  status(): DataplaneStatus {
    return this.native.status();
  }

  zero(): void {
    this.native.zero();
  }

  localAddresses(): readonly LocalAddress[] {
    return this.native.localAddresses();
  }

  async addAddress(address: HostAddress): Promise<void> {
    await checked(() => this.native.addAddress(address));
  }

  async removeAddress(address: HostAddress): Promise<void> {
    await checked(() => this.native.removeAddress(address));
  }

  async leaveAddress(address: HostAddress, seconds: number): Promise<void> {
    await checked(() => this.native.leaveAddress(address, seconds));
  }

  async lookAfter(belongings: readonly Belonging[]): Promise<readonly CustodyOutcome[]> {
    return await checked(() => this.native.lookAfter(belongings));
  }

  async takeUpAddress(address: HostAddress): Promise<boolean> {
    return await checked(() => this.native.takeUpAddress(address));
  }

  async settle(): Promise<void> {
    await checked(() => this.native.settle());
  }

  async stop(isRestart = false): Promise<void> {
    await this.tables.idle();
    await this.native.stop(isRestart);
  }
}

/** What `call` gives; its errors become DirectorErrors, thrown or rejected. */
async function checked<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw coded(error);
  }
}
