// What turns one configuration into another, as a list of values: reload logs it, the engine acts on it, and the
// admin API takes parts of it. apply(diff(a, b), a) is b, up to origins: moving a line in a file changes nothing.

import { type ClientsChange, describeClients, diffClients, everyClient } from './client-rules.js';
import {
  applyFailover,
  describeFailover,
  diffFailover,
  type FailoverChange,
  isFailoverChange,
} from './diff-failover.js';
import {
  type Comparison,
  compare,
  compareSteps,
  fieldsText,
  finish,
  isSame,
  isStepEnd,
  orderAfter,
  ordered,
  without,
} from './diff-lists.js';
import {
  type DirectorConfig,
  type DirectorSettings,
  defaultDirectorSettings,
  type GlobalConfig,
  type LeftOutService,
  type RealServer,
  type StaticAddress,
  type VirtualServer,
} from './director-config.js';
import { noFailover } from './failover-config.js';
import { type DestinationId, endpointText, type ServiceId, serviceKey } from './service-id.js';

export { isSame, isStepEnd } from './diff-lists.js';

/** A virtual server without its identity and its real servers: all else, so that no new setting changes unseen. */
export type ServiceSettings = Omit<VirtualServer, 'id' | 'realServers' | 'origin'>;

export type Change =
  | FailoverChange
  | ClientsChange
  | { readonly kind: 'global-changed'; readonly before: GlobalConfig; readonly after: GlobalConfig }
  | { readonly kind: 'director-changed'; readonly before: DirectorSettings; readonly after: DirectorSettings }
  | {
      readonly kind: 'left-out-changed';
      readonly before: readonly LeftOutService[];
      readonly after: readonly LeftOutService[];
    }
  | { readonly kind: 'static-address-added'; readonly address: StaticAddress }
  | { readonly kind: 'static-address-removed'; readonly address: StaticAddress }
  | { readonly kind: 'static-addresses-reordered'; readonly order: readonly string[] }
  /** With its real servers; at the end of the list until a reordering says otherwise. */
  | { readonly kind: 'service-added'; readonly service: VirtualServer }
  | { readonly kind: 'service-removed'; readonly service: ServiceId }
  | {
      readonly kind: 'service-changed';
      readonly service: ServiceId;
      readonly before: ServiceSettings;
      readonly after: ServiceSettings;
    }
  | { readonly kind: 'services-reordered'; readonly order: readonly string[] }
  | { readonly kind: 'destination-added'; readonly service: ServiceId; readonly destination: RealServer }
  | { readonly kind: 'destination-removed'; readonly service: ServiceId; readonly destination: DestinationId }
  | {
      readonly kind: 'destination-changed';
      readonly service: ServiceId;
      readonly before: RealServer;
      readonly after: RealServer;
    }
  | {
      readonly kind: 'destinations-reordered';
      readonly service: ServiceId;
      readonly order: readonly string[];
    };

// Difference.

/** Removals first, so that what is freed can be taken again; then additions, changes and the order. */
export function diff(before: DirectorConfig, after: DirectorConfig): Change[] {
  return finish(diffSteps(before, after));
}

/** The same in steps of some hundreds of servers, for a caller that must not be held up. */
export function* diffSteps(before: DirectorConfig, after: DirectorConfig): Generator<void, Change[]> {
  const changes: Change[] = [];
  if (!isSame(before.global, after.global)) {
    changes.push({ kind: 'global-changed', before: before.global, after: after.global });
  }
  if (!isSame(before.director, after.director)) {
    changes.push({ kind: 'director-changed', before: before.director, after: after.director });
  }
  const clients = yield* diffClients(before.clients, after.clients);
  if (clients !== undefined) changes.push(clients);
  changes.push(...diffAddresses(before, after));
  if (!isSame(before.leftOut, after.leftOut)) {
    changes.push({ kind: 'left-out-changed', before: before.leftOut, after: after.leftOut });
  }
  const lists = compare(before.virtualServers, after.virtualServers, keyOf);
  for (const service of lists.removed) {
    changes.push({ kind: 'service-removed', service: service.id });
  }
  for (const service of lists.added) changes.push({ kind: 'service-added', service });
  for (const [i, [old, next]] of lists.kept.entries()) {
    for (const change of yield* diffService(old, next)) changes.push(change);
    if (i % servicesPerStep === servicesPerStep - 1) yield;
  }
  changes.push(...orderChange(lists, (order) => ({ kind: 'services-reordered', order })));
  yield;
  changes.push(...(yield* diffFailover(before.failover, after.failover)));
  return changes;
}

const servicesPerStep = 32;

function diffAddresses(before: DirectorConfig, after: DirectorConfig): Change[] {
  const lists = compare(before.staticAddresses, after.staticAddresses, addressKey);
  return [
    ...lists.removed.map((address): Change => ({ kind: 'static-address-removed', address })),
    ...lists.added.map((address): Change => ({ kind: 'static-address-added', address })),
    ...orderChange(lists, (order) => ({ kind: 'static-addresses-reordered', order })),
  ];
}

function* diffService(before: VirtualServer, after: VirtualServer): Generator<void, Change[]> {
  const service = after.id;
  const changes: Change[] = [];
  const [old, next] = [settingsOf(before), settingsOf(after)];
  if (!isSame(old, next)) changes.push({ kind: 'service-changed', service, before: old, after: next });
  const lists = yield* compareSteps(before.realServers, after.realServers, endpointText);
  for (const server of lists.removed) {
    changes.push({ kind: 'destination-removed', service, destination: destinationIdOf(server) });
  }
  for (const destination of lists.added) changes.push({ kind: 'destination-added', service, destination });
  for (const [i, [was, is]] of lists.kept.entries()) {
    if (!isSame(was, is)) changes.push({ kind: 'destination-changed', service, before: was, after: is });
    if (isStepEnd(i)) yield;
  }
  changes.push(...orderChange(lists, (order) => ({ kind: 'destinations-reordered', service, order })));
  return changes;
}

function orderChange<T>(lists: Comparison<T>, make: (order: readonly string[]) => Change): Change[] {
  const order = orderAfter(lists);
  return order === undefined ? [] : [make(order)];
}

// Application.

/** The configuration after the changes; a change of what is not there changes nothing. */
export function apply(changes: readonly Change[], before: DirectorConfig): DirectorConfig {
  let { global, director, clients, staticAddresses, leftOut, failover } = before;
  // A map keeps its order and finds a service at once, however many changes there are.
  let services = new Map(before.virtualServers.map((service) => [keyOf(service), service]));
  const servers: ServersOf = new Map();
  for (const change of changes) {
    if (isFailoverChange(change)) {
      failover = applyFailover(change, failover);
      continue;
    }
    switch (change.kind) {
      case 'global-changed':
        global = change.after;
        break;
      case 'director-changed':
        director = change.after;
        break;
      case 'clients-changed':
        clients = change.after;
        break;
      case 'left-out-changed':
        leftOut = change.after;
        break;
      case 'static-address-added':
        staticAddresses = [...staticAddresses, change.address];
        break;
      case 'static-address-removed':
        staticAddresses = without(staticAddresses, addressKey, addressKey(change.address));
        break;
      case 'static-addresses-reordered':
        staticAddresses = ordered(staticAddresses, addressKey, change.order);
        break;
      case 'service-added':
        services.set(keyOf(change.service), change.service);
        break;
      case 'service-removed':
        services.delete(serviceKey(change.service));
        break;
      case 'services-reordered': {
        const list = ordered([...services.values()], keyOf, change.order);
        services = new Map(list.map((service) => [keyOf(service), service]));
        break;
      }
      default: {
        const key = serviceKey(change.service);
        const service = services.get(key);
        if (service !== undefined) services.set(key, applyToService(service, change, servers));
      }
    }
  }
  const virtualServers = Array.from(services.values(), (service) => {
    const changed = servers.get(service);
    return changed === undefined ? service : { ...service, realServers: [...changed.values()] };
  });
  return { ...before, global, director, clients, staticAddresses, leftOut, failover, virtualServers };
}

type ServiceChange = Extract<
  Change,
  { readonly kind: 'service-changed' | `destination-${string}` | 'destinations-reordered' }
>;

/** The servers of services that are being changed: ten thousand changes of one must not copy its list as often. */
type ServersOf = Map<VirtualServer, Map<string, RealServer>>;

function applyToService(service: VirtualServer, change: ServiceChange, servers: ServersOf): VirtualServer {
  const list =
    servers.get(service) ?? new Map(service.realServers.map((server) => [endpointText(server), server]));
  servers.set(service, list);
  switch (change.kind) {
    case 'service-changed': {
      const next = { ...service, ...change.after };
      servers.set(next, list);
      return next;
    }
    case 'destination-added':
      list.set(endpointText(change.destination), change.destination);
      return service;
    case 'destination-removed':
      list.delete(endpointText(change.destination));
      return service;
    case 'destination-changed': {
      const key = endpointText(change.after);
      if (list.has(key)) list.set(key, change.after);
      return service;
    }
    case 'destinations-reordered': {
      const order = ordered([...list.values()], endpointText, change.order);
      servers.set(service, new Map(order.map((server) => [endpointText(server), server])));
      return service;
    }
  }
}

// Keys.

/** The services that a change touches itself, by `serviceKey`; their order is none of it. */
export function touchedServices(changes: readonly Change[]): ReadonlySet<string> {
  const keys = changes.flatMap((change) => {
    if (change.kind === 'service-added') return [keyOf(change.service)];
    return 'service' in change ? [serviceKey(change.service)] : [];
  });
  return new Set(keys);
}

function keyOf({ id }: VirtualServer): string {
  return serviceKey(id);
}

function destinationIdOf({ address, port }: RealServer): DestinationId {
  return { address, port };
}

function settingsOf({ id, realServers, origin, ...settings }: VirtualServer): ServiceSettings {
  return settings;
}

/** A static address has no identity beyond what it is: changing one is removing it and adding another. */
function addressKey({ address, length, device, label, scope, broadcast }: StaticAddress): string {
  return [`${address}/${length}`, device, label, scope, broadcast].join(' ');
}

// Words.

/** One line for a log or for `--dry-run`. */
export function describe(change: Change): string {
  if (isFailoverChange(change)) return describeFailover(change);
  switch (change.kind) {
    case 'global-changed':
      return `global settings: ${fieldsText(change.before, change.after)}`;
    case 'director-changed':
      return `director settings: ${fieldsText(change.before, change.after)}`;
    case 'clients-changed':
      return describeClients(change);
    case 'left-out-changed':
      return leftOutText(change.after);
    case 'static-address-added':
      return `address ${change.address.address}/${change.address.length} on ${change.address.device} added`;
    case 'static-address-removed':
      return `address ${change.address.address}/${change.address.length} on ${change.address.device} removed`;
    case 'static-addresses-reordered':
      return 'static addresses reordered';
    case 'service-added': {
      const { service } = change;
      const count = service.realServers.length;
      return `service ${keyOf(service)} added: ${service.scheduler}, ${count} server${count === 1 ? '' : 's'}`;
    }
    case 'service-removed':
      return `service ${serviceKey(change.service)} removed`;
    case 'service-changed':
      return `service ${serviceKey(change.service)}: ${fieldsText(change.before, change.after)}`;
    case 'services-reordered':
      return 'services reordered';
    case 'destination-added': {
      const { destination } = change;
      const text = `server ${endpointText(destination)} added: ${destination.method}, weight ${destination.weight}`;
      return `service ${serviceKey(change.service)}: ${text}`;
    }
    case 'destination-removed':
      return `service ${serviceKey(change.service)}: server ${endpointText(change.destination)} removed`;
    case 'destination-changed': {
      const server = endpointText(change.after);
      return `service ${serviceKey(change.service)}: server ${server}: ${fieldsText(change.before, change.after)}`;
    }
    case 'destinations-reordered':
      return `service ${serviceKey(change.service)}: servers reordered`;
  }
}

function leftOutText(leftOut: readonly LeftOutService[]): string {
  if (leftOut.length === 0) return 'no service is left out any more';
  return `not served: ${leftOut.map(({ name, reason }) => `${name} (${reason} is not in effect yet)`).join(', ')}`;
}

/** A director that does nothing yet: what the first configuration is compared with. */
export const emptyConfig: DirectorConfig = {
  global: {
    routerId: undefined,
    tcpTimeout_s: undefined,
    tcpFinTimeout_s: undefined,
    udpTimeout_s: undefined,
  },
  staticAddresses: [],
  virtualServers: [],
  leftOut: [],
  failover: noFailover,
  director: defaultDirectorSettings,
  clients: everyClient,
};
