// The one place where things happen: holds the services in force, turns verdicts and configurations into forwarding
// tables, and has them published. Whoever asks it to change something does so one after another (see director.ts).

import type { Dataplane, ServiceStatus } from '../dataplane/port.js';
import type { IpAddress } from '../model/address.js';
import { type ClientRules, everyClient } from '../model/client-rules.js';
import { type Change, diff, emptyConfig, isSame, touchedServices } from '../model/diff.js';
import type { DirectorConfig } from '../model/director-config.js';
import { type DataplanePolicy, defaultPolicy, type ForwardingTable } from '../model/forwarding-table.js';
import {
  type DestinationId,
  endpointText,
  type ServiceId,
  serviceKey,
  virtualAddressOf,
} from '../model/service-id.js';
import { addMicros, seconds } from '../model/units.js';
import type { Cancel, Clock } from './clock.js';
import type { DirectorEvent } from './events.js';
import { HealthRunner } from './health-runner.js';
import type { Log } from './log.js';
import { messageOf } from './message-of.js';
import { type CounterVisitor, Observer } from './observer.js';
import type { Probes } from './probes/probe.js';
import { Publisher, type PublishOutcome } from './publisher.js';
import type { Serial } from './serial.js';
import {
  beginService,
  planDraining,
  planService,
  refreshRow,
  type ServerState,
  type ServiceContext,
  type ServicePlan,
  type ServiceState,
  setStandby,
} from './service-state.js';
import { createSlices, inSlices } from './slices.js';
import { StaticAddresses } from './static-addresses.js';
import { VipWatch } from './vip-watch.js';

/** What failover says of an address now. */
export type AddressRoles = {
  /** It belongs to a virtual router, which adds and removes it. */
  readonly isVirtual: (address: IpAddress) => boolean;
  /** It belongs to a virtual router, and another director forwards for it. */
  readonly isStandby: (address: IpAddress) => boolean;
  /** Addresses that we forward for and this host takes nothing at; in a stable order. */
  readonly closedAddresses: () => readonly IpAddress[];
};

export type EngineParts = {
  readonly dataplane: Dataplane;
  readonly clock: Clock;
  readonly probes: Probes;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Where the caller's changes run one after another, and the stop among them. */
  readonly inTurn: Serial;
  readonly emit: (event: DirectorEvent) => void;
  readonly roles: AddressRoles;
};

/** Static addresses that could not be added or removed are tried again after it. */
const settlePause = seconds(5);

/** Of a configuration that is to be in force: what failover will say, and `adopt` from when on. */
export type NextRoles = { readonly roles: AddressRoles; readonly adopt: () => void };

/** A configuration built beside the one in force. */
type Plan = {
  readonly config: DirectorConfig;
  /** In the order of the file; draining services stand behind. */
  readonly services: Map<string, ServiceState>;
  readonly changes: readonly ServicePlan[];
  /** As its services are when it is asked for. */
  readonly table: () => ForwardingTable;
};

/** What steering (UVS_HEARTBEAT_HOLD_NS) gives the next start. */
const restartHold_s = 10;

export class Engine {
  readonly health: HealthRunner;
  readonly observer: Observer;
  readonly publisher: Publisher;
  readonly vips: VipWatch;
  private readonly staticAddresses: StaticAddresses;
  /** In the order of the file; draining services stand behind. */
  private services = new Map<string, ServiceState>();
  private config: DirectorConfig;
  private closedAddresses: readonly IpAddress[] = [];
  private clients = everyClient;
  /** Their rows are older than their servers' verdicts. */
  private readonly changed = new Set<ServiceState>();
  private cancelRefresh: Cancel | undefined;
  private cancelSettling: Cancel | undefined;
  private isStopped = false;
  /** Rows are built that a look at the connections must not pull away. */
  private isPlanning = false;
  private readonly context: ServiceContext;

  constructor(
    private readonly parts: EngineParts,
    config: DirectorConfig,
  ) {
    const { clock, log, dataplane } = parts;
    this.config = config;
    this.health = new HealthRunner(clock, parts.probes, parts.random, log);
    this.publisher = new Publisher(
      dataplane,
      clock,
      () => this.table(),
      (outcome) => this.onPublish(outcome),
    );
    this.observer = new Observer(clock, dataplane, () => this.lookForEmpty());
    this.vips = new VipWatch(
      (message) => this.warn(message),
      (message) => log.info(message),
    );
    this.staticAddresses = new StaticAddresses(dataplane, clock, (message) => this.warn(message));
    this.context = {
      health: this.health,
      order: () => this.config.director.serverOrder,
      onVerdict: (service, server, reason) => this.onVerdict(service, server, reason),
    };
  }

  /** Services in force and draining. */
  get serviceStates(): Iterable<ServiceState> {
    return this.services.values();
  }

  get configInForce(): DirectorConfig {
    return this.config;
  }

  get policy(): DataplanePolicy {
    return policyOf(this.config);
  }

  /** Puts the first table in force. The data plane runs already; addresses come last, when packets have a taker. */
  async start(next: NextRoles): Promise<number> {
    return await this.reconfigure(this.config, diff(emptyConfig, this.config), next);
  }

  /**
   * Puts `config` in force, which `changes` make of the one that is, and resolves with the generation. Everything is built beside what is in force and put in its place
   * when the data plane has taken the table; when it refuses, or anything before that fails, nothing has changed.
   */
  async reconfigure(config: DirectorConfig, changes: readonly Change[], next: NextRoles): Promise<number> {
    this.isPlanning = true;
    try {
      // Tens of thousands of networks are compared once: they are the same when they are the same value.
      const hasNewClients = changes.some(({ kind }) => kind === 'clients-changed');
      const clients = hasNewClients ? config.clients : this.clients;
      const plan = await this.plan(config, clients, touchedServices(changes), next.roles);
      const generation = await this.putInForce(plan, next.adopt);
      this.observer.start();
      await this.begin(plan.changes);
      await this.trySettling();
      return generation;
    } finally {
      this.isPlanning = false;
    }
  }

  /**
   * Ends checks and publishes, and takes our addresses away; before a restart they stay for as long as the data plane
   * holds packets back. The data plane is stopped by its owner.
   */
  async stop(isRestart = false): Promise<void> {
    this.isStopped = true;
    this.cancelRefresh?.();
    this.cancelSettling?.();
    this.observer.stop();
    this.health.stop();
    this.publisher.stop();
    await this.staticAddresses.removeAll(isRestart ? restartHold_s : undefined);
  }

  /** Devices or addresses of this machine have changed. */
  async onHostChanged(): Promise<void> {
    await this.staticAddresses.restore();
    this.checkVips();
  }

  /** Asks for the role of each address again; resolves when a table that says so is in force. */
  async refreshStandby(): Promise<void> {
    if (this.applyRoles()) await this.publisher.flush();
  }

  private applyRoles(): boolean {
    const { isStandby, closedAddresses } = this.parts.roles;
    const closed = closedAddresses();
    let hasChanged = !isSame(closed, this.closedAddresses);
    this.closedAddresses = closed;
    for (const state of this.services.values()) {
      if (setStandby(state, isStandbyFor(isStandby, state.policy.id))) hasChanged = true;
    }
    return hasChanged;
  }

  /** The event loop runs between two services. */
  private async plan(
    config: DirectorConfig,
    clients: ClientRules,
    touched: ReadonlySet<string>,
    roles: AddressRoles,
  ): Promise<Plan> {
    const yieldTurn = createSlices(this.parts.clock);
    const order = config.director.serverOrder;
    const isReordered = order !== this.config.director.serverOrder;
    const services = new Map<string, ServiceState>();
    const changes: ServicePlan[] = [];
    const add = async (key: string, change: ServicePlan) => {
      services.set(key, change.next);
      changes.push(change);
      await yieldTurn();
      this.parts.dataplane.prepare(change.next.row);
    };
    for (const policy of config.virtualServers) {
      await yieldTurn();
      const key = serviceKey(policy.id);
      const old = this.services.get(key);
      const isStandby = isStandbyFor(roles.isStandby, policy.id);
      const isKept = old !== undefined && !old.isDraining && !isReordered && old.isStandby === isStandby;
      if (isKept && !touched.has(key)) services.set(key, old);
      else {
        const steps = planService(this.health, old, policy, isStandby, order, isReordered);
        await add(key, await inSlices(steps, yieldTurn));
      }
    }
    for (const [key, old] of this.services) {
      if (services.has(key)) continue;
      await yieldTurn();
      if (old.isDraining) services.set(key, old);
      else await add(key, planDraining(old));
    }
    for (const _ of this.parts.dataplane.prepareClients(clients)) await yieldTurn();
    const table = (): ForwardingTable => {
      this.refreshRows();
      const rows = Array.from(services.values(), (state) => state.row);
      const closedAddresses = roles.closedAddresses();
      return { services: rows, closedAddresses, clients, policy: policyOf(config) };
    };
    return { config, services, changes, table };
  }

  /** The one swap. */
  private async putInForce({ config, services, table }: Plan, adopt: () => void): Promise<number> {
    const swap = ({ closedAddresses, clients }: ForwardingTable) => {
      this.config = config;
      this.services = services;
      this.closedAddresses = closedAddresses;
      this.clients = clients;
      adopt();
    };
    const { generation, isCurrent, inForce } = this.publisher;
    if (!isCurrent || inForce === undefined || !isSameTable(inForce, table()))
      return this.publisher.offer(table, swap);
    swap(inForce);
    return generation;
  }

  /** What a service's checks have said since it was planned counts, and what failover has. */
  private async begin(changes: readonly ServicePlan[]): Promise<void> {
    const yieldTurn = createSlices(this.parts.clock);
    for (const change of changes) {
      await yieldTurn();
      if (await inSlices(beginService(this.context, change), yieldTurn)) this.changed.add(change.next);
      this.reportQuorum(change.next);
    }
    const hasMoved = this.applyRoles();
    if (this.refreshRows() || hasMoved) this.publisher.request();
  }

  private table(): ForwardingTable {
    this.refreshRows();
    return {
      services: Array.from(this.services.values(), (state) => state.row),
      closedAddresses: this.closedAddresses,
      clients: this.clients,
      policy: this.policy,
    };
  }

  private onVerdict(service: ServiceState, server: ServerState, reason: string): void {
    const { clock, log, emit } = this.parts;
    const fields = { service: service.key, server: endpointText(server.policy) };
    const event = { service: service.policy.id, server: endpointOf(server.policy) };
    if (server.isUp) {
      log.info('server up', fields);
      emit({ kind: 'server-up', ...event });
    } else {
      log.warn('server down', { ...fields, reason });
      emit({ kind: 'server-down', ...event, reason });
    }
    this.reportQuorum(service);
    // A row costs as much as it is long: thousands of servers that fail together build it once.
    this.changed.add(service);
    this.cancelRefresh ??= clock.soon(() => {
      this.cancelRefresh = undefined;
      if (this.refreshRows()) this.publisher.request();
    });
  }

  /** Brings the rows up to date whose servers have changed. True when one of them is another now. */
  private refreshRows(): boolean {
    let hasChanged = false;
    for (const state of this.changed) {
      if (refreshRow(state, this.config.director.serverOrder)) hasChanged = true;
    }
    this.changed.clear();
    return hasChanged;
  }

  private reportQuorum(service: ServiceState): void {
    const { log, emit } = this.parts;
    if (service.isQuorumUp === service.wasReportedUp) return;
    service.wasReportedUp = service.isQuorumUp;
    const hasSorryServer = service.policy.sorryServer !== undefined;
    if (service.isQuorumUp) {
      log.info('service up: the quorum is reached', { service: service.key });
      emit({ kind: 'service-up', service: service.policy.id });
    } else {
      const rest = hasSorryServer ? ', the sorry server takes over' : '';
      log.warn(`service down: the quorum is lost${rest}`, { service: service.key });
      emit({ kind: 'service-down', service: service.policy.id, hasSorryServer });
    }
  }

  private onPublish(outcome: PublishOutcome): void {
    const { log, emit } = this.parts;
    switch (outcome.kind) {
      case 'published':
        log.debug('published', { generation: outcome.generation });
        emit({ kind: 'published', generation: outcome.generation });
        return;
      case 'failed': {
        const message = outcome.error instanceof Error ? outcome.error.message : String(outcome.error);
        log.error('the data plane refused a table; the one before stays in force', { reason: message });
        emit({ kind: 'publish-failed', message });
        return;
      }
      default:
        outcome satisfies never;
    }
  }

  /**
   * Quiesced rows without connections leave. A count is believed when its row was in force, as it still is, when the
   * counts were read: it took no connection then and has taken none since. Other rows may change meanwhile: on a
   * director whose servers come and go there may never be a look without a change.
   */
  private lookForEmpty(): ReturnType<CounterVisitor> {
    const inForce = new Set(this.publisher.inForce?.services);
    let hasChanged = false;
    return {
      row: (row) => {
        const state = this.isPlanning ? undefined : this.services.get(serviceKey(row.id));
        if (state === undefined || !inForce.has(state.row)) return;
        if (state.isDraining) hasChanged = this.endDraining(state, row) || hasChanged;
        else if (state.quiesced.length > 0) hasChanged = this.endQuiesced(state, row) || hasChanged;
      },
      end: () => {
        if (hasChanged && !this.isStopped) this.removeSoon();
      },
    };
  }

  /** One publish for all rows of a look; addresses that only they used leave with them. */
  private removeSoon(): void {
    this.publisher.request();
    void this.parts.inTurn(async () => {
      if (!this.isStopped) await this.trySettling();
    });
  }

  private endDraining(state: ServiceState, row: ServiceStatus): boolean {
    if (!row.destinations.every(isEmpty)) return false;
    this.services.delete(state.key);
    this.reportDrained(state, undefined);
    return true;
  }

  private endQuiesced(state: ServiceState, row: ServiceStatus): boolean {
    const empty = new Set(row.destinations.filter(isEmpty).map(endpointText));
    const isLeaving = (destination: DestinationId) => empty.has(endpointText(destination));
    const leaving = state.quiesced.filter(isLeaving);
    if (leaving.length === 0) return false;
    state.quiesced = state.quiesced.filter((destination) => !isLeaving(destination));
    for (const destination of leaving) this.reportDrained(state, destination);
    return refreshRow(state, this.config.director.serverOrder);
  }

  private reportDrained(state: ServiceState, server: DestinationId | undefined): void {
    const what = server === undefined ? 'service' : 'server';
    const fields = { service: state.key, ...(server === undefined ? {} : { server: endpointText(server) }) };
    this.parts.log.info(`removed ${what} has no connections left`, fields);
    const gone = server === undefined ? undefined : endpointOf(server);
    this.parts.emit({ kind: 'drained', service: state.policy.id, server: gone });
  }

  /** What the kernel refuses, or can't be asked, is tried again by and by. */
  private async trySettling(): Promise<void> {
    let isSettled = false;
    try {
      await this.settleAddresses();
      isSettled = !this.staticAddresses.isIncomplete;
    } catch (error) {
      this.warn(`static addresses are not all as they should be: ${messageOf(error)}`);
    }
    if (isSettled || this.isStopped) return;
    const { clock, inTurn } = this.parts;
    this.cancelSettling ??= clock.at(addMicros(clock.now(), settlePause), () => {
      this.cancelSettling = undefined;
      return inTurn(() => (this.isStopped ? Promise.resolve() : this.trySettling()));
    });
  }

  private async settleAddresses(): Promise<void> {
    const draining = new Set<IpAddress>();
    for (const { isDraining, policy } of this.services.values()) {
      const address = virtualAddressOf(policy.id);
      if (isDraining && address !== undefined) draining.add(address);
    }
    await this.staticAddresses.reconcile(this.config.staticAddresses, (address) => draining.has(address));
    this.checkVips();
  }

  private checkVips(): void {
    const { isVirtual } = this.parts.roles;
    const inForce = [...this.services.values()].flatMap(({ isDraining, policy, key }) => {
      const address = virtualAddressOf(policy.id);
      return isDraining || address === undefined || isVirtual(address) ? [] : [{ address, key }];
    });
    this.vips.check(
      inForce,
      new Set([
        ...this.parts.dataplane.localAddresses().map(({ address }) => address),
        ...this.staticAddresses.added,
      ]),
    );
  }

  private warn(message: string): void {
    this.parts.log.warn(message);
    this.parts.emit({ kind: 'warning', message });
  }
}

/** `global_defs` and `director { }` over the defaults. */
function policyOf({ global, director }: DirectorConfig): DataplanePolicy {
  return {
    ...defaultPolicy,
    tcpTimeout_s: global.tcpTimeout_s ?? defaultPolicy.tcpTimeout_s,
    tcpFinTimeout_s: global.tcpFinTimeout_s ?? defaultPolicy.tcpFinTimeout_s,
    udpTimeout_s: global.udpTimeout_s ?? defaultPolicy.udpTimeout_s,
    expireNodestConn: director.expireNodestConn,
    expireQuiescentTemplate: director.expireQuiescentTemplate,
  };
}

/** A row is replaced whenever it changes, so the same object is the same row. */
function isSameTable(a: ForwardingTable, b: ForwardingTable): boolean {
  const isSamePolicy = JSON.stringify(a.policy) === JSON.stringify(b.policy);
  return (
    isSamePolicy &&
    isSame(a.closedAddresses, b.closedAddresses) &&
    a.clients === b.clients &&
    a.services.length === b.services.length &&
    a.services.every((row, i) => row === b.services[i])
  );
}

/** Templates don't keep a server that is removed: no new connection goes by them. */
function isEmpty(row: { readonly active: number; readonly inactive: number }): boolean {
  return row.active + row.inactive === 0;
}

/** A mark is nobody's address: its packets are taken wherever they arrive. */
function isStandbyFor(isStandby: AddressRoles['isStandby'], id: ServiceId): boolean {
  const address = virtualAddressOf(id);
  return address !== undefined && isStandby(address);
}

function endpointOf({ address, port }: DestinationId): DestinationId {
  return { address, port };
}

/** What settings that are read only at start say when a reload changes them. */
export function fixedSettingsChanged(before: DirectorConfig, after: DirectorConfig): readonly string[] {
  const fixed = ['interfaces', 'workers', 'cpus', 'io', 'offload', 'connections', 'metrics'] as const;
  return fixed.filter((name) => !isSame(before.director[name], after.director[name]));
}
