// Who is in the table: from a service's configuration and its servers' liveness to members with weights. Pure.
// The order in which the scheduler visits them is order.ts.

import type { RealServer, VirtualServer } from '../model/director-config.js';
import type { Destination } from '../model/forwarding-table.js';
import type { DestinationId } from '../model/service-id.js';
import { nextQuorum } from './quorum.js';

export type Pool = {
  readonly isQuorumUp: boolean;
  /** In the order of the file; the sorry server, where it stands in, is last. */
  readonly members: readonly Destination[];
};

/** A server is live when all of its checkers are; without any it always is. */
export function isLive(checkers: readonly { readonly isUp: boolean }[]): boolean {
  return checkers.every((checker) => checker.isUp);
}

/**
 * The pool after the liveness of a server changed; `isServerLive[i]` belongs to `realServers[i]`.
 * Who is out leaves the table, or stays with weight 0 where `inhibit_on_failure` says so: then established connections
 * run on. The sorry server replaces all when the quorum is lost.
 */
export function nextPool(
  service: VirtualServer,
  isServerLive: readonly boolean[],
  wasQuorumUp: boolean,
): Pool {
  const liveWeight = service.realServers.reduce(
    (sum, server, i) => sum + (isServerLive[i] ? server.weight : 0),
    0,
  );
  const isQuorumUp = nextQuorum(service, wasQuorumUp, liveWeight);
  const { sorryServer } = service;
  const isSorry = !isQuorumUp && sorryServer !== undefined;

  const members: Destination[] = [];
  for (const [i, server] of service.realServers.entries()) {
    if (isSorry && isSame(server, sorryServer)) continue;
    if (isServerLive[i] && !isSorry) members.push(destinationOf(server));
    else if (server.inhibitOnFailure) members.push({ ...destinationOf(server), weight: 0 });
  }
  if (isSorry) members.push({ ...sorryServer, weight: 1, upperThreshold: 0, lowerThreshold: 0 });
  return { isQuorumUp, members };
}

/** A server as the data plane knows it. */
export function destinationOf(server: RealServer): Destination {
  const { address, port, method, weight, upperThreshold, lowerThreshold } = server;
  return { address, port, method, weight, upperThreshold, lowerThreshold };
}

function isSame(a: DestinationId, b: DestinationId): boolean {
  return a.address === b.address && a.port === b.port;
}
