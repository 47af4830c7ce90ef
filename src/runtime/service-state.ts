// One service as the engine runs it: its configuration, its servers' checkers, and its row in the forwarding table.
// Rows are rebuilt from that alone; nothing here publishes or waits.

import { arrange, type ServerOrder } from '../health/order.js';
import { isLive, nextPool } from '../health/pool.js';
import { initialQuorum, nextQuorum } from '../health/quorum.js';
import { isSame } from '../model/diff.js';
import type { RealServer, VirtualServer } from '../model/director-config.js';
import { type Destination, endpointText, type Service, serviceKey } from '../model/forwarding-table.js';
import type { Checker, HealthRunner } from './health-runner.js';

export type ServerState = {
  readonly policy: RealServer;
  readonly checkers: readonly Checker[];
  /** All of its checkers pass: the verdict that the world was told. */
  isUp: boolean;
};

export type ServiceState = {
  readonly key: string;
  policy: VirtualServer;
  /** In the order of the file. */
  servers: readonly ServerState[];
  /** The sum of the weights of those that are up. */
  liveWeight: number;
  isQuorumUp: boolean;
  /** What the world knows of the quorum. */
  wasToldUp: boolean;
  /** Servers that came up since the row was built, in that order: the scheduler visits the newest first. */
  comebacks: string[];
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
  /** A verdict on a server has changed, by its checkers; `setServerUp` was called. */
  readonly onVerdict: (service: ServiceState, server: ServerState, reason: string) => void;
};

/** A service without servers yet; `configureService` gives it some. */
export function createServiceState(policy: VirtualServer): ServiceState {
  return {
    key: serviceKey(policy),
    policy,
    servers: [],
    liveWeight: 0,
    isQuorumUp: false,
    wasToldUp: false,
    comebacks: [],
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
  const judgedAnew: ServerState[] = [];
  state.policy = policy;
  state.isDraining = false;
  state.servers = policy.realServers.map((server) => {
    const key = endpointText(server);
    const old = before.get(key);
    before.delete(key);
    const next = configureServer(context, state, server, old);
    if (old !== undefined && old.isUp !== next.isUp) judgedAnew.push(next);
    return next;
  });
  for (const server of before.values()) stopServer(context, server);
  const configured = new Set(policy.realServers.map(endpointText));
  // The sorry server leaves by quorum alone.
  if (policy.sorryServer !== undefined) configured.add(endpointText(policy.sorryServer));
  state.quiesced = state.row.destinations
    .filter((destination) => !configured.has(endpointText(destination)))
    .map((destination) => ({ ...destination, weight: 0, isRemoved: true }));
  state.liveWeight = state.servers.reduce(
    (sum, { isUp, policy: { weight } }) => sum + (isUp ? weight : 0),
    0,
  );
  if (isNew) {
    state.isQuorumUp = initialQuorum(policy, state.liveWeight);
    state.wasToldUp = state.isQuorumUp;
  }
  for (const server of judgedAnew) context.onVerdict(state, server, 'its checks are others now');
}

/** The service is gone from the configuration: its checkers end, its row stays and drains. */
export function drainService(context: ServiceContext, state: ServiceState): void {
  for (const server of state.servers) stopServer(context, server);
  state.servers = [];
  state.isDraining = true;
  const destinations = state.row.destinations.map((row): Destination => ({ ...row, isRemoved: true }));
  state.row = { ...state.row, isDraining: true, destinations };
}

/** Brings the row up to date with liveness and quorum. True when the row has changed. Costs as much as the row is long. */
export function refreshRow(state: ServiceState, order: ServerOrder): boolean {
  if (state.isDraining) return false;
  const pool = nextPool(
    state.policy,
    state.servers.map(({ isUp }) => isUp),
    state.isQuorumUp,
  );
  const inPool = new Set(pool.members.map(endpointText));
  state.isQuorumUp = pool.isQuorumUp;
  state.quiesced = state.quiesced.filter((destination) => !inPool.has(endpointText(destination)));
  const comebacks = order === 'kernel' ? state.comebacks : [];
  state.comebacks = [];
  const members = [...inOrderOfComeback(pool.members, comebacks), ...state.quiesced];
  const destinations = arrange(order, state.row.destinations, members);
  const { isStandby } = state;
  const row: Service = { ...rowHead(state.policy), isDraining: false, isStandby, destinations };
  if (isSame(row, state.row)) return false;
  state.row = row;
  return true;
}

/** What became of one server: its liveness, the weight of all and the quorum follow at once; the row does with refreshRow. */
export function setServerUp(state: ServiceState, server: ServerState, isUp: boolean): void {
  server.isUp = isUp;
  state.liveWeight += isUp ? server.policy.weight : -server.policy.weight;
  const wasQuorumUp = state.isQuorumUp;
  state.isQuorumUp = nextQuorum(state.policy, wasQuorumUp, state.liveWeight);
  if (isUp) state.comebacks.push(endpointText(server.policy));
  // They take the sorry server's place together, in the order of the file.
  if (state.isQuorumUp !== wasQuorumUp && state.policy.sorryServer !== undefined) state.comebacks = [];
}

function inOrderOfComeback(
  members: readonly Destination[],
  comebacks: readonly string[],
): readonly Destination[] {
  if (comebacks.length === 0) return members;
  const places = new Map(comebacks.map((name, place) => [name, place]));
  const place = (member: Destination) => places.get(endpointText(member)) ?? -1;
  return [...members].sort((a, b) => place(a) - place(b));
}

/** Another director holds the service's address, or it is ours again. True when the row has changed. */
export function setStandby(state: ServiceState, isStandby: boolean): boolean {
  state.isStandby = isStandby;
  if (state.row.isStandby === isStandby) return false;
  state.row = { ...state.row, isStandby };
  return true;
}

function configureServer(
  context: ServiceContext,
  state: ServiceState,
  policy: RealServer,
  old: ServerState | undefined,
): ServerState {
  const unused = new Set(old?.checkers);
  const subject = `${endpointText(policy)} of ${state.key}`;
  const checkers = policy.checkers.map((checkerPolicy) => {
    for (const checker of unused) {
      if (!isSame(checker.policy, checkerPolicy)) continue;
      unused.delete(checker);
      return checker;
    }
    return context.health.add(checkerPolicy, subject, old?.isUp);
  });
  for (const checker of unused) context.health.remove(checker);
  const server: ServerState = { policy, checkers, isUp: isLive(checkers.map((checker) => checker.state)) };
  for (const checker of checkers) checker.onVerdict = (reason) => judge(context, state, server, reason);
  return server;
}

/** A server is up while all of its checkers pass: one that fails beside another that fails is no news. */
function judge(context: ServiceContext, state: ServiceState, server: ServerState, reason: string): void {
  const isUp = isLive(server.checkers.map((checker) => checker.state));
  if (isUp === server.isUp) return;
  setServerUp(state, server, isUp);
  context.onVerdict(state, server, reason);
}

function stopServer(context: ServiceContext, server: ServerState): void {
  for (const checker of server.checkers) context.health.remove(checker);
}

function rowHead(policy: VirtualServer): Omit<Service, 'isDraining' | 'isStandby' | 'destinations'> {
  const { protocol, address, port, scheduler, flags, onePacket } = policy;
  return { protocol, address, port, scheduler, flags, onePacket };
}
