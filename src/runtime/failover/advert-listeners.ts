// Where adverts are heard: one listener for a device and family, shared by all virtual routers whose peers are there.

import type { Network } from '../../dataplane/network.js';
import type { Family, IpAddress } from '../../model/address.js';

type Member = { readonly key: string; readonly group: IpAddress | undefined };
type SharedListener = { ifindex: number; members: readonly Member[]; groupsInForce: string };

export class AdvertListeners {
  private readonly listeners = new Map<string, SharedListener>();

  constructor(private readonly network: Pick<Network, 'listenForAdverts' | 'stopListeningForAdverts'>) {}

  /**
   * The virtual router `key` listens there, and nowhere else. `group`: multicast. A device that has gone and come back
   * (another `ifindex`) is listened on anew. Throws the network's error; the next call tries again.
   */
  join(key: string, device: string, ifindex: number, family: Family, group: IpAddress | undefined): void {
    const at = `${device} ${family}`;
    this.leave(key, at);
    const listener = this.listeners.get(at) ?? { ifindex, members: [], groupsInForce: '' };
    this.listeners.set(at, listener);
    listener.members = [...listener.members.filter((member) => member.key !== key), { key, group }];
    if (listener.ifindex !== ifindex) listener.groupsInForce = '';
    listener.ifindex = ifindex;
    this.update(at, listener);
  }

  /** Everywhere but at `except`. */
  leave(key: string, except?: string): void {
    for (const [at, listener] of this.listeners) {
      if (at === except || !listener.members.some((member) => member.key === key)) continue;
      listener.members = listener.members.filter((member) => member.key !== key);
      if (listener.members.length > 0) {
        // Too many groups for a moment do no harm.
        continue;
      }
      this.listeners.delete(at);
      const [device = '', family] = at.split(' ');
      this.network.stopListeningForAdverts(device, family === '6' ? 6 : 4);
    }
  }

  /** Keys of the virtual routers that listen there. */
  membersAt(device: string, family: Family): readonly string[] {
    return this.listeners.get(`${device} ${family}`)?.members.map(({ key }) => key) ?? [];
  }

  private update(at: string, listener: SharedListener): void {
    const groups = [
      ...new Set(listener.members.flatMap(({ group }) => (group === undefined ? [] : [group]))),
    ].sort();
    const wanted = `${groups.join(' ')} `;
    if (wanted === listener.groupsInForce) return;
    listener.groupsInForce = '';
    const [device = '', family] = at.split(' ');
    this.network.listenForAdverts({ device, family: family === '6' ? 6 : 4, groups });
    listener.groupsInForce = wanted;
  }
}
