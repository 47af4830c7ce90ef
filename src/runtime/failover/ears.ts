// Where adverts are heard: one ear for a device and family, shared by all virtual routers that listen there.

import type { Network } from '../../dataplane/network.js';
import type { Family, IpAddress } from '../../model/address.js';

type Listener = { readonly key: string; readonly group: IpAddress | undefined };
type SharedEar = { ifindex: number; listeners: readonly Listener[]; heard: string };

export class Ears {
  private readonly ears = new Map<string, SharedEar>();

  constructor(private readonly network: Pick<Network, 'hear' | 'stopHearing'>) {}

  /**
   * The virtual router `key` listens there, and nowhere else. `group`: multicast. A device that has gone and come back
   * (another `ifindex`) is heard anew. Throws the network's error; the next call tries again.
   */
  join(key: string, device: string, ifindex: number, family: Family, group: IpAddress | undefined): void {
    const at = `${device} ${family}`;
    this.leave(key, at);
    const ear = this.ears.get(at) ?? { ifindex, listeners: [], heard: '' };
    this.ears.set(at, ear);
    ear.listeners = [...ear.listeners.filter((listener) => listener.key !== key), { key, group }];
    if (ear.ifindex !== ifindex) ear.heard = '';
    ear.ifindex = ifindex;
    this.hear(at, ear);
  }

  /** Everywhere but at `except`. */
  leave(key: string, except?: string): void {
    for (const [at, ear] of this.ears) {
      if (at === except || !ear.listeners.some((listener) => listener.key === key)) continue;
      ear.listeners = ear.listeners.filter((listener) => listener.key !== key);
      if (ear.listeners.length > 0) {
        // Too many groups for a moment do no harm.
        continue;
      }
      this.ears.delete(at);
      const [device = '', family] = at.split(' ');
      this.network.stopHearing(device, family === '6' ? 6 : 4);
    }
  }

  /** Keys of the virtual routers that listen there. */
  listenersAt(device: string, family: Family): readonly string[] {
    return this.ears.get(`${device} ${family}`)?.listeners.map(({ key }) => key) ?? [];
  }

  private hear(at: string, ear: SharedEar): void {
    const groups = [
      ...new Set(ear.listeners.flatMap(({ group }) => (group === undefined ? [] : [group]))),
    ].sort();
    const wanted = `${groups.join(' ')} `;
    if (wanted === ear.heard) return;
    ear.heard = '';
    const [device = '', family] = at.split(' ');
    this.network.hear({ device, family: family === '6' ? 6 : 4, groups });
    ear.heard = wanted;
  }
}
