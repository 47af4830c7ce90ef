// The port to what failover does on this machine's network: adverts, announcements, devices, addresses and routes, and
// the guardian that undoes it when we can't. Native (native-network.ts) or in memory (memory-network.ts); both pass
// test/contract/network.test.ts. It decides nothing.

import type { Family, IpAddress, Prefix } from '../model/address.js';
import { type Micros, micros } from '../model/units.js';
import type { VirtualRoute } from '../model/virtual-router.js';
import type { Belonging, CustodyOutcome, CustodyStatus } from './custody.js';
import type { HostAddress } from './port.js';

/** A device as it is now. */
export type Link = {
  readonly name: string;
  readonly ifindex: number;
  /** `02:00:00:00:00:01`; empty for a device without one. */
  readonly mac: string;
  /** Administratively up, and with a carrier. */
  readonly isUp: boolean;
  /** Somebody has set it down: the carrier has no part in it. */
  readonly isSetDown?: boolean;
  readonly mtu: number;
  /** Of a virtual MAC's device: the one that it is on. */
  readonly parent?: string | undefined;
  /**
   * In the kernel's order, but secondary, deprecated and virtual ones (those that we have added) last: the first of a
   * family is the one to speak from. Tentative and failed ones are left out.
   */
  readonly addresses: readonly LinkAddress[];
};

/** `isLeftForUs`: the director before us on this machine left it, and it goes by itself unless it is added again. */
export type LinkAddress = Prefix & { readonly isLeftForUs?: boolean };

/** Where a virtual router's adverts leave, and how. Open as long as the router is configured. */
export type AdvertEgress = {
  /** The virtual router's name: the key of every later call. */
  readonly router: string;
  /** Where adverts leave: the virtual MAC's device with `use_vmac`, else the router's. */
  readonly device: string;
  readonly source: IpAddress;
  /** TTL or hop limit of adverts. */
  readonly ttl: number;
};

/** Where adverts are heard. One for a device and family, however many virtual routers listen there. */
export type AdvertListener = {
  readonly device: string;
  readonly family: Family;
  /** Multicast groups to join; unicast needs none. */
  readonly groups: readonly IpAddress[];
};

/** One VRRP message (without IP header) to one destination; its checksum fits both ends. */
export type AdvertMessage = { readonly destination: IpAddress; readonly bytes: Uint8Array };

/** The repeater says the messages again every `interval` while nobody calls, until `lease` after the last call. */
export type Repetition = { readonly interval: Micros; readonly lease: Micros };

/** When the repeater speaks for the first time after a call: late enough that a caller who is on time is never doubled. */
export function repeatDelay(interval: Micros): Micros {
  const grace = Math.max(Math.min(interval / 4, 50_000), 2_000);
  return micros(interval + grace);
}

/** What the guardian does in our place when this process dies or its lease runs out: in this order. */
export type LastWill = {
  /** Priority 0, said once. */
  readonly goodbye: readonly AdvertMessage[];
  readonly addresses: readonly HostAddress[];
  readonly routes: readonly VirtualRoute[];
};

/** Whose adverts, and where they are heard. */
export type AdvertOrigin = {
  readonly device: string;
  readonly source: IpAddress;
  readonly virtualRouterId: number;
};

export type NetworkEvent =
  /** A VRRP message was heard; nothing has been judged but the IP header's checksum. */
  | {
      readonly kind: 'advert';
      readonly device: string;
      readonly message: Uint8Array;
      readonly source: IpAddress;
      readonly destination: IpAddress;
      readonly ttl: number;
    }
  /** Links or addresses have changed; `links()` tells how. Or a route of ours is gone. */
  | { readonly kind: 'links-changed' }
  /** The lease has run out: the repeater has fallen silent, and the guardian carries out the will that it has. */
  | { readonly kind: 'lease-expired'; readonly router: string }
  /** A frame that `listenForFrames` asked for. */
  | { readonly kind: 'frame'; readonly device: string; readonly frame: Uint8Array }
  /** The guardian is gone and a new one could not be started, or was: in words. */
  | { readonly kind: 'warning'; readonly message: string };

/**
 * Who holds one of the addresses, asked or not: ARP replies, ARP requests for the sender's own address (gratuitous ones),
 * and neighbour advertisements.
 */
export type ProbeFilter = { readonly device: string; readonly addresses: readonly IpAddress[] };

export interface Network {
  /**
   * Starts the threads and the guardian. Removes routes and virtual MAC devices that a dead director left, but for
   * devices with addresses that are left for us.
   */
  start(onEvent: (event: NetworkEvent) => void): Promise<void>;
  /** Devices of this namespace now, without our own pair. */
  links(): readonly Link[];

  /** Hears adverts from now on; a second call for the same device and family replaces the groups. Throws DEVICE_MISSING or IO. */
  listenForAdverts(listener: AdvertListener): void;
  /** Ok when it is gone. */
  stopListeningForAdverts(device: string, family: Family): void;
  /**
   * The master that `router` follows, undefined: none. In a flood adverts are shed before they get here, so many a second of
   * each origin and of all together; those of followed masters never for others'. A 'warning' says so now and then.
   */
  follow(router: string, master: AdvertOrigin | undefined): void;
  /** Opens or replaces a virtual router's socket. Throws DEVICE_MISSING or IO (the source is no address of ours). */
  open(egress: AdvertEgress): void;
  /** Ends repetition and will, too. */
  close(router: string): void;

  /**
   * Sends now. With `repetition` the repeater goes on by itself; without it the router is silent afterwards, and only
   * its lease goes on, as long as the one before: a master that hangs while it gives up still loses its addresses.
   * When the lease has run out (this process was stopped), nothing is sent with a repetition before 'lease-expired' has
   * been reported. Returns why a message could not be sent (`Network is down`), or undefined.
   */
  advertise(
    router: string,
    messages: readonly AdvertMessage[],
    repetition: Repetition | undefined,
  ): string | undefined;
  /** Entrusts the guardian with a router's last will; resolves when it has it. Replaces the one before. */
  entrust(router: string, will: LastWill): Promise<void>;
  /** The will is void: we have done it ourselves, or there is nothing to do. */
  revoke(router: string): void;

  /** One Ethernet frame. Returns why it could not be sent, or undefined. */
  sendFrame(device: string, frame: Uint8Array): string | undefined;
  /** Reports frames that match until `stopListeningForFrames`; replaces the filter before on that device. */
  listenForFrames(filter: ProbeFilter): void;
  stopListeningForFrames(device: string): void;

  /** Ok when it is there already; one that is left for us stays from then on. Throws DEVICE_MISSING or IO. */
  addAddress(address: HostAddress): Promise<void>;
  /** Ok when it is gone. */
  removeAddress(address: HostAddress): Promise<void>;
  addRoute(route: VirtualRoute): Promise<void>;
  removeRoute(route: VirtualRoute): Promise<void>;
  /**
   * Has a macvlan device `name` on `parent` with `mac`, up, with the sysctls that it needs. Ours of that name on that parent
   * gets the MAC; ours with that parent and MAC gets the name, and keeps its addresses. Throws IO where the name is another's.
   */
  addVirtualMac(name: string, parent: string, mac: string): Promise<void>;
  /** Leaves an address for the director that is started after us: it goes after `seconds` (1 or more) by itself. */
  leaveAddress(address: HostAddress, seconds: number): Promise<void>;
  /** Ok when it is gone. Throws IO for a device that is not ours; that stays. */
  removeVirtualMac(name: string): Promise<void>;

  /**
   * Compares what should be there with what is, one by one, and puts it back; an outcome each. Not to be called twice at a
   * time, nor beside calls that add or remove what it is given.
   */
  lookAfter(belongings: readonly Belonging[]): Promise<readonly CustodyOutcome[]>;
  custody(): CustodyStatus;

  /** Ends threads and sockets and dismisses the guardian: nothing of a will is done. Safe to call twice. */
  stop(): Promise<void>;
}
