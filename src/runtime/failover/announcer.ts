// Sends announcements: every address so many times, in rounds, with a pause between two frames where one is asked for.
// What could not be sent is reported once a round of calls, so that the state machine says it again later.

import type { Link, Network } from '../../dataplane/network.js';
import { familyOf, type IpAddress } from '../../model/address.js';
import type { Pacing } from '../../model/failover-config.js';
import { addMicros, type Micros } from '../../model/units.js';
import { announcement } from '../../vrrp/announcement.js';
import type { Cancel, Clock } from '../clock.js';
import { messageOf } from '../message-of.js';

/** An address and the device that holds it. */
export type Target = {
  readonly address: IpAddress;
  readonly device: string;
  /** What a `garp_group` knows it by: below a virtual MAC's device, else the device. */
  readonly physical: string;
};

export type AnnounceOrder = {
  /** Whose. */
  readonly owner: string;
  /** Which of its addresses: a newer order for the same replaces what is left of the one before. */
  readonly part: 'all' | 'added' | 'missed' | 'extra';
  readonly targets: readonly Target[];
  /** Frames an address. */
  readonly repeat: number;
  readonly onSent: () => void;
  readonly onFailed: (reason: string, device: string) => void;
};

export type AnnouncerParts = {
  readonly network: Pick<Network, 'links' | 'sendFrame'>;
  readonly clock: Clock;
  /** The kernel answers as a router on that device. */
  readonly isRouter: (device: string) => boolean;
  /** As it is in force at the moment. */
  readonly pacing: () => Pacing;
};

type Waiting = { readonly order: AnnounceOrder; readonly target: Target };
/** Frames of one family that share a pause: those of a device, or of a group's devices. */
type Lane = { readonly waiting: Waiting[]; cancel: Cancel | undefined };

export class Announcer {
  private readonly lanes = new Map<string, Lane>();

  constructor(private readonly parts: AnnouncerParts) {}

  /** Sends what needs no pause now, the rest by and by. */
  announce(order: AnnounceOrder): void {
    this.withdraw(({ owner, part }) => owner === order.owner && part === order.part);
    const linkOf = this.lookUp();
    const failures = new Map<string, string>();
    for (let round = 0; round < order.repeat; round++) {
      for (const target of order.targets) {
        const { name, pause } = this.laneOf(target);
        const lane = this.lanes.get(name);
        if (lane !== undefined) {
          lane.waiting.push({ order, target });
          continue;
        }
        const failure = this.send(order, target, linkOf(target.device));
        if (failure !== undefined) failures.set(target.device, failure);
        if (pause > 0) this.openLane(name, pause);
      }
    }
    for (const [device, reason] of failures) order.onFailed(reason, device);
  }

  /** What is left of the owner's orders is not sent. */
  drop(owner: string): void {
    this.withdraw((order) => order.owner === owner);
  }

  stop(): void {
    for (const lane of this.lanes.values()) lane.cancel?.();
    this.lanes.clear();
  }

  private withdraw(isMeant: (order: AnnounceOrder) => boolean): void {
    for (const [name, lane] of this.lanes) {
      const rest = lane.waiting.filter(({ order }) => !isMeant(order));
      lane.waiting.splice(0, lane.waiting.length, ...rest);
      if (rest.length > 0) continue;
      lane.cancel?.();
      this.lanes.delete(name);
    }
  }

  private laneOf({ address, physical }: Target): { name: string; pause: Micros } {
    const pacing = this.parts.pacing();
    const group = pacing.groups.findIndex(({ devices }) => devices.includes(physical));
    const { arp, na } = pacing.groups[group] ?? pacing;
    const place = group < 0 ? physical : `group ${group}`;
    return familyOf(address) === 4
      ? { name: `ARP ${place}`, pause: arp }
      : { name: `NA ${place}`, pause: na };
  }

  private openLane(name: string, pause: Micros): void {
    const lane: Lane = { waiting: [], cancel: undefined };
    this.lanes.set(name, lane);
    this.arm(name, lane, pause);
  }

  private arm(name: string, lane: Lane, pause: Micros): void {
    const { clock } = this.parts;
    lane.cancel = clock.at(addMicros(clock.now(), pause), () => {
      const next = lane.waiting.shift();
      if (next === undefined) {
        this.lanes.delete(name);
        return;
      }
      const { order, target } = next;
      const failure = this.send(order, target, this.lookUp()(target.device));
      if (failure !== undefined) order.onFailed(failure, target.device);
      if (this.lanes.get(name) === lane) this.arm(name, lane, pause);
    });
  }

  /** Devices by name; in words why the kernel can't be asked now, which fails the order like any other failure. */
  private lookUp(): (device: string) => Link | string | undefined {
    try {
      const links = new Map(this.parts.network.links().map((link) => [link.name, link]));
      return (device) => links.get(device);
    } catch (error) {
      return (device) => `${device}: ${messageOf(error)}`;
    }
  }

  private send(
    order: AnnounceOrder,
    { address, device }: Target,
    link: Link | string | undefined,
  ): string | undefined {
    const failure = this.sendOn(address, device, link);
    if (failure === undefined) order.onSent();
    return failure;
  }

  private sendOn(address: IpAddress, device: string, link: Link | string | undefined): string | undefined {
    if (typeof link === 'string') return link;
    if (link === undefined) return `there is no interface ${device}`;
    // A device without MAC (a tunnel) has no neighbours that could learn it.
    if (link.mac === '') return undefined;
    if (!link.isUp) return `interface ${device} is down`;
    const frame = announcement(address, link.mac, address.includes(':') && this.parts.isRouter(device));
    const failure = this.parts.network.sendFrame(device, frame);
    return failure === undefined ? undefined : `${device}: ${failure}`;
  }
}
