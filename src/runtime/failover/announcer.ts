// Sends announcements: every address so many times, in rounds, with a pause between two frames on a device where one is
// asked for. What could not be sent is reported once a round of calls, so that the state machine says it again later.

import type { Link, Network } from '../../dataplane/network.js';
import type { IpAddress } from '../../model/address.js';
import { addMicros, type Micros } from '../../model/units.js';
import { announcement } from '../../vrrp/announcement.js';
import type { Cancel, Clock } from '../clock.js';

/** An address and the device that holds it. */
export type Target = { readonly address: IpAddress; readonly device: string };

export type AnnounceOrder = {
  /** Whose: a newer order replaces what is left of the one before. */
  readonly key: string;
  readonly targets: readonly Target[];
  /** Frames an address. */
  readonly repeat: number;
  readonly pause: Micros;
  readonly onSent: () => void;
  readonly onFailed: (reason: string) => void;
};

export type AnnouncerParts = {
  readonly network: Pick<Network, 'links' | 'sendFrame'>;
  readonly clock: Clock;
  /** The kernel answers as a router on that device. */
  readonly isRouter: (device: string) => boolean;
};

type Waiting = { readonly order: AnnounceOrder; readonly target: Target };
type Lane = { readonly waiting: Waiting[]; cancel: Cancel | undefined };

export class Announcer {
  /** By device. */
  private readonly lanes = new Map<string, Lane>();

  constructor(private readonly parts: AnnouncerParts) {}

  /** Sends what needs no pause now, the rest by and by. */
  announce(order: AnnounceOrder): void {
    this.drop(order.key);
    const links = new Map(this.parts.network.links().map((link) => [link.name, link]));
    const failures = new Map<string, string>();
    for (let round = 0; round < order.repeat; round++) {
      for (const target of order.targets) {
        const lane = this.lanes.get(target.device);
        if (lane !== undefined) lane.waiting.push({ order, target });
        else this.sendFirst(order, target, links, failures);
      }
    }
    for (const reason of failures.values()) order.onFailed(reason);
  }

  /** What is left of the order is not sent. */
  drop(key: string): void {
    for (const [device, lane] of this.lanes) {
      const rest = lane.waiting.filter(({ order }) => order.key !== key);
      lane.waiting.splice(0, lane.waiting.length, ...rest);
      if (rest.length > 0) continue;
      lane.cancel?.();
      this.lanes.delete(device);
    }
  }

  stop(): void {
    for (const lane of this.lanes.values()) lane.cancel?.();
    this.lanes.clear();
  }

  private sendFirst(
    order: AnnounceOrder,
    target: Target,
    links: ReadonlyMap<string, Link>,
    failures: Map<string, string>,
  ): void {
    const failure = this.send(order, target, links.get(target.device));
    if (failure !== undefined) failures.set(target.device, failure);
    if (order.pause > 0) this.openLane(target.device, order.pause);
  }

  private openLane(device: string, pause: Micros): void {
    const lane: Lane = { waiting: [], cancel: undefined };
    this.lanes.set(device, lane);
    this.arm(device, lane, pause);
  }

  private arm(device: string, lane: Lane, pause: Micros): void {
    const { clock } = this.parts;
    lane.cancel = clock.at(addMicros(clock.now(), pause), () => {
      const next = lane.waiting.shift();
      if (next === undefined) {
        this.lanes.delete(device);
        return;
      }
      const link = this.parts.network.links().find(({ name }) => name === device);
      const failure = this.send(next.order, next.target, link);
      if (failure !== undefined) next.order.onFailed(failure);
      if (this.lanes.get(device) === lane) this.arm(device, lane, next.order.pause);
    });
  }

  private send(
    order: AnnounceOrder,
    { address, device }: Target,
    link: Link | undefined,
  ): string | undefined {
    const failure = this.sendOn(address, device, link);
    if (failure === undefined) order.onSent();
    return failure;
  }

  private sendOn(address: IpAddress, device: string, link: Link | undefined): string | undefined {
    if (link === undefined) return `there is no interface ${device}`;
    // A device without MAC (a tunnel) has no neighbours that could learn it.
    if (link.mac === '') return undefined;
    if (!link.isUp) return `interface ${device} is down`;
    const frame = announcement(address, link.mac, address.includes(':') && this.parts.isRouter(device));
    const failure = this.parts.network.sendFrame(device, frame);
    return failure === undefined ? undefined : `${device}: ${failure}`;
  }
}
