// Puts together what a director shows of itself from the engine's state and the data plane's counters. Reads only.

import { sumOfCustody } from '../dataplane/custody.js';
import type { Dataplane, ServiceStatus, Traffic } from '../dataplane/port.js';
import { endpointText, serviceKey } from '../model/service-id.js';
import type { Engine } from './engine.js';
import type { FailoverView } from './failover/views.js';
import type { Checker } from './health-runner.js';
import type { ServerState, ServiceState } from './service-state.js';
import type { YieldTurn } from './slices.js';
import type { CheckerView, DestinationView, DirectorStatus, ServerView, ServiceView } from './views.js';

const noTraffic: Traffic = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };

/** What the director itself adds; `custody` is that of failover. */
export type DirectorFacts = Pick<
  DirectorStatus,
  | 'version'
  | 'source'
  | 'uptime'
  | 'configuredAt'
  | 'loopLag'
  | 'log'
  | 'failedSteps'
  | 'custody'
  | 'runTimeChanges'
>;

export function directorStatus(
  engine: Engine,
  dataplane: Dataplane,
  failover: FailoverView,
  facts: DirectorFacts,
): DirectorStatus {
  const { policy, publisher, health, vips } = engine;
  const { custody, ...moving } = dataplane.status();
  return {
    ...facts,
    pid: process.pid,
    generation: publisher.generation,
    isCurrent: publisher.isCurrent,
    timeouts: { tcp_s: policy.tcpTimeout_s, tcpFin_s: policy.tcpFinTimeout_s, udp_s: policy.udpTimeout_s },
    ...counts(engine),
    leftOut: engine.configInForce.leftOut,
    checkerCount: health.checkerCount,
    missingAddresses: [...vips.missingAddresses],
    custody: sumOfCustody(custody, facts.custody),
    dataplane: moving,
    ...failover,
  };
}

/** All services, in the order of the configuration; thousands of them take several turns of the event loop. */
export async function serviceViews(
  engine: Engine,
  dataplane: Dataplane,
  yieldTurn: YieldTurn,
): Promise<ServiceView[]> {
  const rows = new Map<string, ServiceStatus>();
  for (const row of dataplane.services()) {
    rows.set(serviceKey(row.id), row);
    await yieldTurn();
  }
  const views: ServiceView[] = [];
  for (const state of [...engine.serviceStates]) {
    await yieldTurn();
    views.push(serviceView(engine, state, rows.get(state.key)));
  }
  return views;
}

function counts(engine: Engine): Pick<DirectorStatus, 'services' | 'servers'> {
  const services = { total: 0, up: 0, down: 0, draining: 0, standby: 0 };
  const servers = { total: 0, live: 0, unchecked: 0 };
  for (const state of engine.serviceStates) {
    services.total += 1;
    services[state.isDraining ? 'draining' : state.isQuorumUp ? 'up' : 'down'] += 1;
    if (state.isStandby) services.standby += 1;
    servers.total += state.servers.length;
    for (const { isUp, checkers } of state.servers) {
      if (checkers.length === 0) servers.unchecked += 1;
      else if (isUp) servers.live += 1;
    }
  }
  return { services, servers };
}

function serviceView(engine: Engine, state: ServiceState, row: ServiceStatus | undefined): ServiceView {
  const { id, scheduler, flags, onePacket, persistence } = state.policy;
  const { observer } = engine;
  const removed = new Set(state.quiesced.map(endpointText));
  const destinations = (row?.destinations ?? []).map(
    (destination): DestinationView => ({
      ...destination,
      isRemoved: state.isDraining || removed.has(endpointText(destination)),
      rates: observer.destinationRates(id, destination),
    }),
  );
  const inTable = new Set(destinations.map(endpointText));
  return {
    id,
    scheduler,
    flags,
    onePacket,
    persistence,
    isUp: state.isQuorumUp,
    isDraining: state.isDraining,
    isStandby: state.isStandby,
    notAsWritten: state.policy.notAsWritten,
    traffic: row?.traffic ?? noTraffic,
    rates: observer.serviceRates(id),
    destinations,
    servers: state.servers.map((server) => serverView(server, inTable.has(endpointText(server.policy)))),
  };
}

function serverView(server: ServerState, isInTable: boolean): ServerView {
  const { address, port, weight } = server.policy;
  return {
    address,
    port,
    weight,
    isLive: server.isUp,
    isChecked: server.checkers.length > 0,
    isInTable,
    checkers: server.checkers.map(checkerView),
  };
}

function checkerView({ policy, state, lastFailure }: Checker): CheckerView {
  const { isUp, kind, failures } = state;
  return { kind: policy.kind, isUp, state: kind, failures, attempts: policy.retries + 1, lastFailure };
}
