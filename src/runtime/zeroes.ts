// Counters that begin anew when an operator says so (`ipvsadm -Z`): what they were then is taken off what they are. The
// counters themselves only grow, for whoever takes differences of them.

import type { Traffic } from '../dataplane/port.js';
import { endpointText, serviceKey } from '../model/service-id.js';
import type { ServiceView } from './views.js';

export class Zeroes {
  /** Of services by `serviceKey`, of servers with their name behind it. */
  private readonly since = new Map<string, Traffic>();

  /** `views` are as counted; those that `isMeant` begin anew. */
  begin(views: readonly ServiceView[], isMeant: (key: string) => boolean): void {
    const kept = new Set<string>();
    for (const view of views) {
      const key = serviceKey(view.id);
      const rows = [[key, view.traffic], ...view.destinations.map((row) => [rowKey(key, row), row.traffic])];
      for (const [name, traffic] of rows as [string, Traffic][]) {
        kept.add(name);
        if (isMeant(key)) this.since.set(name, traffic);
      }
    }
    // Of what is gone nothing is kept.
    for (const name of this.since.keys()) if (!kept.has(name)) this.since.delete(name);
  }

  /** Of the same views as counted, what was counted since. */
  read(views: readonly ServiceView[]): readonly ServiceView[] {
    if (this.since.size === 0) return views;
    return views.map((view) => {
      const key = serviceKey(view.id);
      const destinations = view.destinations.map((row) => ({
        ...row,
        traffic: this.rest(rowKey(key, row), row.traffic),
      }));
      return { ...view, traffic: this.rest(key, view.traffic), destinations };
    });
  }

  private rest(name: string, now: Traffic): Traffic {
    const then = this.since.get(name);
    // Less than then: it is another by the same name, and has begun by itself.
    if (then === undefined || fields.some((field) => now[field] < then[field])) return now;
    const rest = { ...now };
    for (const field of fields) rest[field] = now[field] - then[field];
    return rest;
  }
}

const fields = ['connections', 'inPackets', 'outPackets', 'inBytes', 'outBytes'] as const;

function rowKey(key: string, row: ServiceView['destinations'][number]): string {
  return `${key} ${endpointText(row)}`;
}
