// Where adverts are heard: one listener for a device and family, shared by all virtual routers whose peers are there.
// What one of them joins or leaves costs the same however many they are.

import type { Network } from '../../dataplane/network.js';
import type { Family, IpAddress } from '../../model/address.js';

type SharedListener = {
  readonly device: string;
  readonly family: Family;
  ifindex: number;
  /** By key; undefined: unicast. */
  readonly members: Map<string, IpAddress | undefined>;
  /** What the network listens for, as text; empty: it does not. */
  groupsInForce: string;
};

export class AdvertListeners {
  private readonly listeners = new Map<string, SharedListener>();
  /** Where each key listens. */
  private readonly places = new Map<string, SharedListener>();

  constructor(private readonly network: Pick<Network, 'listenForAdverts' | 'stopListeningForAdverts'>) {}

  /**
   * The virtual router `key` listens there, and nowhere else. `group`: multicast. A device that has gone and come back
   * (another `ifindex`) is listened on anew. Throws the network's error; the next call tries again.
   */
  join(key: string, device: string, ifindex: number, family: Family, group: IpAddress | undefined): void {
    const at = placeText(device, family);
    const listener = this.listeners.get(at) ?? {
      device,
      family,
      ifindex,
      members: new Map(),
      groupsInForce: '',
    };
    const isSame = this.places.get(key) === listener && listener.members.get(key) === group;
    if (isSame && listener.ifindex === ifindex && listener.groupsInForce !== '') return;
    if (this.places.get(key) !== listener) this.leave(key);
    this.listeners.set(at, listener);
    this.places.set(key, listener);
    listener.members.set(key, group);
    if (listener.ifindex !== ifindex) listener.groupsInForce = '';
    listener.ifindex = ifindex;
    this.update(listener);
  }

  /** Too many groups of those that are left do no harm for a moment. */
  leave(key: string): void {
    const listener = this.places.get(key);
    if (listener === undefined) return;
    this.places.delete(key);
    listener.members.delete(key);
    if (listener.members.size > 0) return;
    this.listeners.delete(placeText(listener.device, listener.family));
    this.network.stopListeningForAdverts(listener.device, listener.family);
  }

  /** Keys of the virtual routers that listen there. */
  membersAt(device: string, family: Family): readonly string[] {
    return [...(this.listeners.get(placeText(device, family))?.members.keys() ?? [])];
  }

  private update(listener: SharedListener): void {
    const { device, family } = listener;
    const groups = [...new Set(listener.members.values())].filter((group) => group !== undefined).sort();
    const wanted = `${groups.join(' ')} `;
    if (wanted === listener.groupsInForce) return;
    listener.groupsInForce = '';
    this.network.listenForAdverts({ device, family, groups });
    listener.groupsInForce = wanted;
  }
}

function placeText(device: string, family: Family): string {
  return `${device} ${family}`;
}
