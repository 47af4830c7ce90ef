// What the file says and what was changed at run time, as two values, with one effective view. What a checker makes of a
// weight is no layer: it is a state of the engine's, decided anew from the effective view. Pure.

import { apply, type Change, diffSteps, isSame, type ServiceSettings } from './diff.js';
import { finish } from './diff-lists.js';
import type { DirectorConfig, RealServer, VirtualServer } from './director-config.js';
import { endpointText, serviceKey } from './service-id.js';

export type Layers = {
  readonly file: DirectorConfig;
  /** From the file to what is in force: the shortest list, however many changes led there. */
  readonly changes: readonly Change[];
};

/**
 * What is in force. A change sets what it changed and no more: where the file has moved on since, the rest is the file's. A
 * change of what the file no longer has changes nothing, and what it adds but the file has by now is as the change has it.
 */
export function effectiveConfig({ file, changes }: Layers): DirectorConfig {
  const services = new Map(file.virtualServers.map((service) => [serviceKey(service.id), service]));
  const serversOf = serversByName();
  const onFile = changes.map((change): Change => {
    if (change.kind !== 'service-changed' && change.kind !== 'destination-changed') return change;
    const service = services.get(serviceKey(change.service));
    if (service === undefined) return change;
    if (change.kind === 'service-changed') {
      const after: ServiceSettings = { ...change.after, ...settingsOf(service, change.after) };
      return { ...change, after: withChanged(change.before, change.after, after) };
    }
    const server = serversOf(service).get(endpointText(change.after));
    return server === undefined
      ? change
      : { ...change, after: withChanged(change.before, change.after, server) };
  });
  return apply(onFile, file);
}

/** What is undone when `next` is the file and nothing else counts: from `next` to what would be in force with the changes. */
export function undoneBy(layers: Layers, next: DirectorConfig): readonly Change[] {
  return finish(undoneSteps(layers, next));
}

/** The same in steps of some hundreds of servers. */
export function* undoneSteps({ changes }: Layers, next: DirectorConfig): Generator<void, readonly Change[]> {
  if (changes.length === 0) return [];
  return yield* diffSteps(next, effectiveConfig({ file: next, changes }));
}

/** Those of the changes that come to nothing on `next`: what they change is no longer there. */
export function lostOn({ changes }: Layers, next: DirectorConfig): readonly Change[] {
  const services = new Map(next.virtualServers.map((service) => [serviceKey(service.id), service]));
  for (const change of changes) {
    if (change.kind === 'service-added') services.set(serviceKey(change.service.id), change.service);
  }
  const serversOf = serversByName();
  return changes.filter((change) => {
    switch (change.kind) {
      case 'service-changed':
      case 'destination-added':
        return !services.has(serviceKey(change.service));
      case 'destination-changed': {
        const service = services.get(serviceKey(change.service));
        return service === undefined || !serversOf(service).has(endpointText(change.after));
      }
      default:
        return false;
    }
  });
}

/** The servers of a service by their names, listed once: changes may name ten thousand of one. */
function serversByName(): (service: VirtualServer) => ReadonlyMap<string, RealServer> {
  const known = new Map<VirtualServer, ReadonlyMap<string, RealServer>>();
  return (service) => {
    const servers =
      known.get(service) ?? new Map(service.realServers.map((server) => [endpointText(server), server]));
    known.set(service, servers);
    return servers;
  };
}

/** `base` with those fields of `after` in which it differs from `before`. */
function withChanged<T extends object>(before: T, after: T, base: T): T {
  // What one of them lacks counts as undefined: JSON, by which changes outlive a restart, drops the name.
  const names = Object.keys({ ...before, ...after }) as (keyof T)[];
  const changed = names.filter((name) => !isSame(after[name], before[name]));
  return { ...base, ...Object.fromEntries(changed.map((name) => [name, after[name]])) };
}

/** The settings of `service` by the names that `settings` has. */
function settingsOf(service: VirtualServer, settings: ServiceSettings): Partial<ServiceSettings> {
  return Object.fromEntries(
    Object.keys(settings).map((name) => [name, service[name as keyof ServiceSettings]]),
  );
}
