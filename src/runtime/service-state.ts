// One service as the engine runs it: its configuration, its servers' checkers, and its row in the forwarding table.
// Rows are rebuilt from that alone; nothing here publishes or waits.

import { arrange, type ServerOrder } from '../health/order.js';
import { isLive, nextPool } from '../health/pool.js';
import { initialQuorum } from '../health/quorum.js';
import { isSame } from '../model/diff.js';
import type { RealServer, VirtualServer } from '../model/director-config.js';
import {
  type Destination,
  type DestinationId,
  endpointText,
  type Service,
  serviceKey,
} from '../model/forwarding-table.js';
import type { Checker, HealthRunner } from './health-runner.js';

export type ServerState = { readonly policy: RealServer; readonly checkers: readonly Checker[] };

export type ServiceState = {
  readonly key: string;
  policy: VirtualServer;
  /** In the order of the file. */
  servers: readonly ServerState[];
  isQuorumUp: boolean;
  /** Servers that the configuration no longer has: in the table with weight 0 until their connections are gone. */
  quiesced: readonly Destination[];
  /** The configuration no longer has the service: it takes no new connections. */
  isDraining: boolean;
  /** Another director holds its address. */
  isStandby: boolean;
  /** The row of the table; its destinations are in the scheduler's order of visit. */
  row: Service;
};

/** How a service's state reaches the rest of the engine. */
export type ServiceContext = {
  readonly health: HealthRunner;
  readonly order: () => ServerOrder;
  readonly onVerdict: (service: ServiceState, server: DestinationId, isUp: boolean, reason: string) => void;
};

/** A service without servers yet; `configureService` gives it some. */
export function createServiceState(policy: VirtualServer): ServiceState {
  return {
    key: serviceKey(policy),
    policy,
    servers: [],
    isQuorumUp: false,
    quiesced: [],
    isDraining: false,
    isStandby: false,
    row: { ...rowHead(policy), isDraining: false, isStandby: false, destinations: [] },
  };
}

/**
 * Puts `policy` in force: starts, keeps and stops checkers, quiesces servers that are gone. A checker whose policy is
 * the same runs on; a changed one starts from the verdict of its server.
 */
export function configureService(context: ServiceContext, state: ServiceState, policy: VirtualServer): void {
  const isNew = state.servers.length === 0 && state.row.destinations.length === 0;
  const before = new Map(state.servers.map((server) => [endpointText(server.policy), server]));
  state.policy = policy;
  state.isDraining = false;
  state.servers = policy.realServers.map((server) => {
    const key = endpointText(server);
    const old = before.get(key);
    before.delete(key);
    return configureServer(context, state, server, old);
  });
  for (const server of before.values()) stopServer(context, server);
  state.quiesced = state.row.destinations
    .filter((destination) => !isConfigured(policy, destination))
    .map((destination) => ({ ...destination, weight: 0, isRemoved: true }));
  if (isNew) state.isQuorumUp = initialQuorum(policy, liveWeight(state));
}

/** The service is gone from the configuration: its checkers end, its row stays and drains. */
export function drainService(context: ServiceContext, state: ServiceState): void {
  for (const server of state.servers) stopServer(context, server);
  state.servers = [];
  state.isDraining = true;
  const destinations = state.row.destinations.map((row): Destination => ({ ...row, isRemoved: true }));
  state.row = { ...state.row, isDraining: true, destinations };
}

/** Brings the row up to date with liveness and quorum. True when the row has changed. */
export function refreshRow(state: ServiceState, order: ServerOrder): boolean {
  if (state.isDraining) return false;
  const isServerLive = state.servers.map(isServerUp);
  const pool = nextPool(state.policy, isServerLive, state.isQuorumUp);
  const inPool = new Set(pool.members.map(endpointText));
  state.isQuorumUp = pool.isQuorumUp;
  state.quiesced = state.quiesced.filter((destination) => !inPool.has(endpointText(destination)));
  const destinations = arrange(order, state.row.destinations, [...pool.members, ...state.quiesced]);
  const { isStandby } = state;
  const row: Service = { ...rowHead(state.policy), isDraining: false, isStandby, destinations };
  if (isSame(row, state.row)) return false;
  state.row = row;
  return true;
}

/** Another director holds the service's address, or it is ours again. True when the row has changed. */
export function setStandby(state: ServiceState, isStandby: boolean): boolean {
  state.isStandby = isStandby;
  if (state.row.isStandby === isStandby) return false;
  state.row = { ...state.row, isStandby };
  return true;
}

export function isServerUp(server: ServerState): boolean {
  return isLive(server.checkers.map((checker) => checker.state));
}

function liveWeight(state: ServiceState): number {
  return state.servers.reduce((sum, server) => sum + (isServerUp(server) ? server.policy.weight : 0), 0);
}

function configureServer(
  context: ServiceContext,
  state: ServiceState,
  policy: RealServer,
  old: ServerState | undefined,
): ServerState {
  const wasUp = old === undefined ? undefined : isServerUp(old);
  const unused = new Set(old?.checkers);
  const subject = `${endpointText(policy)} of ${state.key}`;
  const checkers = policy.checkers.map((checkerPolicy) => {
    for (const checker of unused) {
      if (!isSame(checker.policy, checkerPolicy)) continue;
      unused.delete(checker);
      return checker;
    }
    return context.health.add(checkerPolicy, subject, wasUp, (isUp, reason) =>
      context.onVerdict(state, policy, isUp, reason),
    );
  });
  for (const checker of unused) context.health.remove(checker);
  return { policy, checkers };
}

function stopServer(context: ServiceContext, server: ServerState): void {
  for (const checker of server.checkers) context.health.remove(checker);
}

/** A server, or the sorry server, which leaves by quorum alone. */
function isConfigured(policy: VirtualServer, destination: DestinationId): boolean {
  const isDestination = (id: DestinationId) =>
    id.address === destination.address && id.port === destination.port;
  return (
    policy.realServers.some(isDestination) ||
    (policy.sorryServer !== undefined && isDestination(policy.sorryServer))
  );
}

function rowHead(policy: VirtualServer): Omit<Service, 'isDraining' | 'isStandby' | 'destinations'> {
  const { protocol, address, port, scheduler, flags, onePacket } = policy;
  return { protocol, address, port, scheduler, flags, onePacket };
}
