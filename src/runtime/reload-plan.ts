// What a new file does to what is in force, before anything is done: the configuration that comes of it and of the changes of run
// time, and how many connections each change touches. Reads only.

import type { ServiceStatus } from '../dataplane/port.js';
import { type Change, describe } from '../model/diff.js';
import type { DirectorConfig, LeftOutService } from '../model/director-config.js';
import { effectiveConfig, type Layers, lostOn, undoneSteps } from '../model/layers.js';
import { type DestinationId, endpointText, serviceKey } from '../model/service-id.js';
import { findChanges } from './describe-changes.js';
import type { Diagnostic } from './loading/source.js';
import type { Log } from './log.js';
import { inSlices, type YieldTurn } from './slices.js';

/** What becomes of the changes of run time when the file is read again. */
export const runTimeRules = ['keep', 'drop'] as const;
export type RunTimeRule = (typeof runTimeRules)[number];

export type NextLayers = {
  readonly config: DirectorConfig;
  readonly layers: Layers;
  /** What is in force of the changes of run time and will not be: all of them, or those that the file leaves nothing to change. */
  readonly undone: readonly Change[];
};

export async function layersOn(
  file: DirectorConfig,
  layers: Layers,
  rule: RunTimeRule,
  yieldTurn: YieldTurn,
): Promise<NextLayers> {
  if (rule === 'drop' || layers.changes.length === 0) {
    const undone = await inSlices(undoneSteps(layers, file), yieldTurn);
    return { config: file, layers: { file, changes: [] }, undone };
  }
  const config = effectiveConfig({ file, changes: layers.changes });
  const changes = await findChanges(file, config, yieldTurn);
  return { config, layers: { file, changes }, undone: lostOn(layers, file) };
}

/** So many undone changes are logged one by one. */
const maxLogged = 100;

export function logRunTime(log: Log, kept: readonly Change[], undone: readonly Change[]): void {
  if (kept.length > 0) log.info('changes of run time stay in force', { changes: kept.length });
  for (const change of undone.slice(0, maxLogged)) log.warn(`no longer in force: ${describe(change)}`);
  const unsaid = undone.length - maxLogged;
  if (unsaid > 0) log.warn(`and ${unsaid} more changes of run time are no longer in force`);
}

/** A line of a plan; `connections` of what the change touches, undefined where it touches no service. */
export type PlannedChange = { readonly text: string; readonly connections: number | undefined };

export type ReloadPlan = {
  readonly changes: readonly PlannedChange[];
  /** Changes of run time that stay, and that are undone, in words. */
  readonly kept: readonly string[];
  readonly undone: readonly string[];
  /** What would be served in another way than written. */
  readonly notAsWritten: readonly { readonly service: string; readonly keywords: readonly string[] }[];
  readonly leftOut: readonly LeftOutService[];
  readonly diagnostics: readonly Diagnostic[];
};

/** `rows` are those of the table in force. */
export async function planReload(
  inForce: DirectorConfig,
  { config, layers, undone }: NextLayers,
  rows: Iterable<ServiceStatus>,
  diagnostics: readonly Diagnostic[],
  yieldTurn: YieldTurn,
): Promise<ReloadPlan> {
  const counts = new Map<string, Counts>();
  for (const row of rows) {
    counts.set(serviceKey(row.id), countsOf(row));
    await yieldTurn();
  }
  const changes: PlannedChange[] = [];
  for (const change of await findChanges(inForce, config, yieldTurn)) {
    changes.push({ text: describe(change), connections: touchedBy(change, counts) });
    await yieldTurn();
  }
  return {
    changes,
    kept: layers.changes.map(describe),
    undone: undone.map(describe),
    notAsWritten: config.virtualServers
      .filter(({ notAsWritten }) => notAsWritten.length > 0)
      .map(({ id, notAsWritten }) => ({ service: serviceKey(id), keywords: notAsWritten })),
    leftOut: config.leftOut,
    diagnostics,
  };
}

function touchedBy(change: Change, rows: ReadonlyMap<string, Counts>): number | undefined {
  switch (change.kind) {
    case 'service-removed':
    case 'service-changed':
      return connectionsOf(rows.get(serviceKey(change.service)), undefined);
    case 'destination-removed':
      return connectionsOf(rows.get(serviceKey(change.service)), change.destination);
    case 'destination-changed':
      return connectionsOf(rows.get(serviceKey(change.service)), change.after);
    case 'service-added':
    case 'destination-added':
      return 0;
    default:
      return undefined;
  }
}

/** Connections of a service, and of each of its servers by name: changes may name ten thousand of one. */
type Counts = { readonly all: number; readonly servers: ReadonlyMap<string, number> };

function countsOf({ destinations }: ServiceStatus): Counts {
  const servers = new Map<string, number>();
  let all = 0;
  for (const destination of destinations) {
    const name = endpointText(destination);
    const count = destination.active + destination.inactive;
    servers.set(name, (servers.get(name) ?? 0) + count);
    all += count;
  }
  return { all, servers };
}

/** Of one server, or of all. */
function connectionsOf(counts: Counts | undefined, server: DestinationId | undefined): number {
  return (server === undefined ? counts?.all : counts?.servers.get(endpointText(server))) ?? 0;
}
