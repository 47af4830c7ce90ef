// The adverts of one virtual router: encodes them for each destination, hands them to the network, and keeps the
// repeater armed exactly while it is master.

import type { AdvertMessage, Network } from '../../dataplane/network.js';
import type { IpAddress } from '../../model/address.js';
import type { VirtualRouter } from '../../model/virtual-router.js';
import { advertOf, encodeAdvert } from '../../vrrp/advert.js';
import { leaseOf } from '../../vrrp/timers.js';
import type { RouterCounters } from './counters.js';

type Place = { readonly device: string; readonly ifindex: number; readonly source: IpAddress };

export class AdvertSender {
  private place: (Place & { readonly ttl: number }) | undefined;
  private isRepeating = false;
  private cached:
    | { readonly router: VirtualRouter; readonly byPriority: Map<number, AdvertMessage[]> }
    | undefined;

  constructor(
    private readonly network: Pick<Network, 'open' | 'close' | 'advertise'>,
    private readonly key: string,
    private readonly counters: RouterCounters,
  ) {}

  /** Where our adverts come from; undefined while it is closed. */
  get source(): IpAddress | undefined {
    return this.place?.source;
  }

  /** Sends from there from now on. True when that is new. Throws the network's error and is closed then. */
  open(router: VirtualRouter, { device, ifindex, source }: Place): boolean {
    const { delivery } = router;
    const ttl = delivery.kind === 'unicast' ? delivery.ttl : 255;
    const { place } = this;
    const isSame =
      place?.device === device && place.ifindex === ifindex && place.source === source && place.ttl === ttl;
    if (isSame) return false;
    this.place = undefined;
    this.cached = undefined;
    this.network.open({ router: this.key, device, source, ttl });
    this.place = { device, ifindex, source, ttl };
    return true;
  }

  close(): void {
    this.network.close(this.key);
    this.place = undefined;
    this.isRepeating = false;
  }

  /** Sends now; `isMaster`: the repeater goes on with it. Returns why it could not be sent. */
  send(router: VirtualRouter, priority: number, isMaster: boolean): string | undefined {
    this.isRepeating = isMaster && priority > 0;
    const repetition = this.isRepeating
      ? { interval: router.advertInterval, lease: leaseOf(router) }
      : undefined;
    const failure =
      this.place === undefined
        ? 'there is nowhere to send from'
        : this.network.advertise(this.key, this.messages(router, priority, this.place.source), repetition);
    if (failure !== undefined) {
      this.counters.sendFailures += 1;
      return failure;
    }
    this.counters.sent += 1;
    if (priority === 0) this.counters.priorityZeroSent += 1;
    return undefined;
  }

  /** Says nothing, and nothing is repeated any more. */
  stopRepeating(): void {
    if (!this.isRepeating) return;
    this.isRepeating = false;
    if (this.place !== undefined) this.network.advertise(this.key, [], undefined);
  }

  /** Priority 0 to everybody: what the guardian says in our place. */
  goodbye(router: VirtualRouter): readonly AdvertMessage[] {
    return this.place === undefined ? [] : this.messages(router, 0, this.place.source);
  }

  private messages(router: VirtualRouter, priority: number, source: IpAddress): AdvertMessage[] {
    if (this.cached?.router !== router) this.cached = { router, byPriority: new Map() };
    const known = this.cached.byPriority.get(priority);
    if (known !== undefined) return known;
    const advert = advertOf(router, priority);
    const messages = destinationsOf(router).map((destination) => {
      const bytes = encodeAdvert(advert, { source, destination }, router.checksum);
      return { destination, bytes };
    });
    this.cached.byPriority.set(priority, messages);
    return messages;
  }
}

function destinationsOf({ delivery }: VirtualRouter): readonly IpAddress[] {
  return delivery.kind === 'multicast' ? [delivery.group] : delivery.peers.map(({ address }) => address);
}
