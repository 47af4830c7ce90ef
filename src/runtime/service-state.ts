// One service as the engine runs it: its configuration, its servers' checkers, and its row in the forwarding table.
// Rows are rebuilt from that alone; nothing here publishes or waits.

import { arrange, type ServerOrder } from '../health/order.js';
import { isLive, nextPool } from '../health/pool.js';
import { initialQuorum, nextQuorum } from '../health/quorum.js';
import { isSame, isStepEnd } from '../model/diff.js';
import type { RealServer, VirtualServer } from '../model/director-config.js';
import type { Destination, Service } from '../model/forwarding-table.js';
import { endpointText, serviceKey } from '../model/service-id.js';
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
  wasReportedUp: boolean;
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

/** A service without servers yet. */
function createServiceState(policy: VirtualServer): ServiceState {
  return {
    key: serviceKey(policy.id),
    policy,
    servers: [],
    liveWeight: 0,
    isQuorumUp: false,
    wasReportedUp: false,
    comebacks: [],
    quiesced: [],
    isDraining: false,
    isStandby: false,
    row: { ...rowHead(policy), isDraining: false, isStandby: false, destinations: [] },
  };
}

/** What a configuration makes of a service, beside the one in force: nothing of it is felt before `beginService`. */
export type ServicePlan = {
  readonly before: ServiceState | undefined;
  readonly next: ServiceState;
  readonly starting: readonly Checker[];
  readonly ending: readonly Checker[];
  /** The servers whose checks are others now, with what they were. */
  readonly judgedAnew: readonly { readonly was: ServerState; readonly is: ServerState }[];
};

/**
 * The service with `policy`: checkers are started, kept and stopped, servers that are gone are quiesced. A checker whose
 * policy is the same runs on; a changed one starts from the verdict of its server. `isReordered`: the row begins anew.
 * In steps of some hundreds of servers.
 */
export function* planService(
  health: HealthRunner,
  before: ServiceState | undefined,
  policy: VirtualServer,
  isStandby: boolean,
  order: ServerOrder,
  isReordered: boolean,
): Generator<void, ServicePlan> {
  const next = before === undefined ? createServiceState(policy) : { ...before };
  const starting: Checker[] = [];
  const ending: Checker[] = [];
  const judgedAnew: { was: ServerState; is: ServerState }[] = [];
  const old = new Map(next.servers.map((server) => [endpointText(server.policy), server]));
  const isNew = next.servers.length === 0 && next.row.destinations.length === 0;
  next.policy = policy;
  next.isDraining = false;
  next.comebacks = [...next.comebacks];
  const servers: ServerState[] = [];
  for (const [i, server] of policy.realServers.entries()) {
    const key = endpointText(server);
    const was = old.get(key);
    old.delete(key);
    const checks = planChecks(health, `${key} of ${next.key}`, server, was);
    starting.push(...checks.starting);
    ending.push(...checks.ending);
    const is: ServerState = { policy: server, checkers: checks.checkers, isUp: isLiveNow(checks.checkers) };
    if (was !== undefined && was.isUp !== is.isUp) judgedAnew.push({ was, is });
    servers.push(is);
    if (isStepEnd(i)) yield;
  }
  next.servers = servers;
  for (const { checkers } of old.values()) ending.push(...checkers);
  const configured = new Set(policy.realServers.map(endpointText));
  // The sorry server leaves by quorum alone.
  if (policy.sorryServer !== undefined) configured.add(endpointText(policy.sorryServer));
  next.quiesced = next.row.destinations
    .filter((destination) => !configured.has(endpointText(destination)))
    .map((destination) => ({ ...destination, weight: 0, isRemoved: true }));
  yield;
  next.liveWeight = next.servers.reduce((sum, { isUp, policy: { weight } }) => sum + (isUp ? weight : 0), 0);
  if (isNew) {
    next.isQuorumUp = initialQuorum(policy, next.liveWeight);
    next.wasReportedUp = next.isQuorumUp;
  }
  setStandby(next, isStandby);
  if (isReordered) next.row = { ...next.row, destinations: [] };
  refreshRow(next, order);
  return { before: isNew ? undefined : before, next, starting, ending, judgedAnew };
}

/** The service is gone from the configuration: its checkers end, its row stays and drains. */
export function planDraining(before: ServiceState): ServicePlan {
  const ending = before.servers.flatMap(({ checkers }) => checkers);
  const destinations = before.row.destinations.map((row): Destination => ({ ...row, isRemoved: true }));
  const row = { ...before.row, isDraining: true, destinations };
  return {
    before,
    next: { ...before, servers: [], isDraining: true, row },
    starting: [],
    ending,
    judgedAnew: [],
  };
}

/**
 * `next` is in force from here on. True: verdicts have fallen since it was planned, and its row is to be refreshed. In steps of
 * some hundreds of servers; one whose verdict falls meanwhile is told by the state that it belongs to by then.
 */
export function* beginService(context: ServiceContext, plan: ServicePlan): Generator<void, boolean> {
  const { before, next, starting, ending, judgedAnew } = plan;
  for (const [i, checker] of ending.entries()) {
    context.health.remove(checker);
    if (isStepEnd(i)) yield;
  }
  for (const [i, server] of next.servers.entries()) {
    for (const checker of server.checkers) {
      checker.onVerdict = (reason) => judge(context, next, server, reason);
    }
    if (isStepEnd(i)) yield;
  }
  for (const [i, checker] of starting.entries()) {
    context.health.start(checker);
    if (isStepEnd(i)) yield;
  }
  if (before !== undefined) next.wasReportedUp = before.wasReportedUp;
  let isStale = false;
  for (const server of next.servers) {
    const isUp = isLiveNow(server.checkers);
    if (isUp === server.isUp) continue;
    setServerUp(next, server, isUp);
    isStale = true;
  }
  for (const { was, is } of judgedAnew) {
    if (was.isUp !== is.isUp) context.onVerdict(next, is, 'its checks are others now');
  }
  return isStale;
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

/** Which checkers a server has from now on, which of them are new, and which of the old ones end. */
function planChecks(
  health: HealthRunner,
  subject: string,
  policy: RealServer,
  was: ServerState | undefined,
): Record<'checkers' | 'starting' | 'ending', readonly Checker[]> {
  const unused = new Set(was?.checkers);
  const starting: Checker[] = [];
  const checkers = policy.checkers.map((checkerPolicy) => {
    for (const checker of unused) {
      if (!isSame(checker.policy, checkerPolicy)) continue;
      unused.delete(checker);
      return checker;
    }
    const fresh = health.make(checkerPolicy, subject, was?.isUp);
    starting.push(fresh);
    return fresh;
  });
  return { checkers, starting, ending: [...unused] };
}

function isLiveNow(checkers: readonly Checker[]): boolean {
  return isLive(checkers.map((checker) => checker.state));
}

/** A server is up while all of its checkers pass: one that fails beside another that fails is no news. */
function judge(context: ServiceContext, state: ServiceState, server: ServerState, reason: string): void {
  const isUp = isLiveNow(server.checkers);
  if (isUp === server.isUp) return;
  setServerUp(state, server, isUp);
  context.onVerdict(state, server, reason);
}

export function rowHead(policy: VirtualServer): Omit<Service, 'isDraining' | 'isStandby' | 'destinations'> {
  const { id, scheduler, flags, onePacket, persistence } = policy;
  return { id, scheduler, flags, onePacket, persistence };
}
