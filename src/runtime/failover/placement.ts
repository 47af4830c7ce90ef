// Where a virtual router can stand on this machine now: device, interface index and source address of its adverts, or
// the fault that keeps it out, in words. Pure: the machine's links go in. That a device is down is no such fault: sockets
// outlive it, and the configuration has a track of the own device unless it says `dont_track_primary`.

import type { Link } from '../../dataplane/network.js';
import type { IpAddress } from '../../model/address.js';
import { familyOf, ipBytes, isLinkLocal } from '../../model/address.js';
import type { Delivery, VirtualRouter } from '../../model/virtual-router.js';

export type Placement =
  | {
      readonly kind: 'ready';
      /** Where adverts leave. */
      readonly device: string;
      readonly ifindex: number;
      readonly source: IpAddress;
      /** Where they are heard: listening on the virtual MAC's device would have a backup answer with its master's MAC. */
      readonly listener: { readonly device: string; readonly ifindex: number };
    }
  | {
      readonly kind: 'fault';
      readonly reason: string;
      /** Of the virtual MAC's device: it is missing (`unmade`), or somebody has set it down. */
      readonly lack: 'gone' | 'unmade' | 'down';
    };

/**
 * `isVirtual`: addresses that come and go with a virtual router; adverts come from another one where there is another.
 * An owner (255) may have nothing else.
 */
export function placementOf(
  router: VirtualRouter,
  links: readonly Link[],
  isVirtual: (address: IpAddress) => boolean,
): Placement {
  const { device } = router;
  const link = links.find(({ name }) => name === device);
  if (link === undefined) return fault(`there is no interface ${device}`, 'gone');
  if (router.delivery.kind === 'unicast' && router.delivery.peers.length === 0) {
    return fault('unicast_peer names nobody', 'gone');
  }
  const source = sourceOf(router, link, links, isVirtual);
  if (source === undefined) return fault(missingText(router, link), 'gone');
  const sendingDevice = advertDevice(router);
  const sending = links.find(({ name }) => name === sendingDevice);
  const made = router.virtualMacDevice === undefined ? link : virtualMacLink(router, links);
  if (sending === undefined || made === undefined) {
    return fault(`there is no interface ${router.virtualMacDevice}`, 'unmade');
  }
  if (made !== link && made.isSetDown === true) return fault(`interface ${made.name} is down`, 'down');
  const listener = { device, ifindex: link.ifindex };
  return { kind: 'ready', device: sendingDevice, ifindex: sending.ifindex, source, listener };
}

/** Where adverts leave: the virtual MAC's device; unicast ones need the MAC that routers know. */
export function advertDevice({ device, virtualMacDevice, delivery }: VirtualRouter): string {
  return delivery.kind === 'multicast' ? (virtualMacDevice ?? device) : device;
}

/** Where an address of the router goes when it names no device itself. */
export function addressDevice({ device, virtualMacDevice }: VirtualRouter): string {
  return virtualMacDevice ?? device;
}

/** One of that name with another MAC or on another device is not it. */
function virtualMacLink(router: VirtualRouter, links: readonly Link[]): Link | undefined {
  return links.find(
    ({ name, mac, parent }) =>
      name === router.virtualMacDevice && mac === router.virtualMac && parent === router.device,
  );
}

function sourceOf(
  { source, family, priority, delivery }: VirtualRouter,
  link: Link,
  links: readonly Link[],
  isVirtual: (address: IpAddress) => boolean,
): IpAddress | undefined {
  if (source !== undefined) {
    const places = isLinkLocal(source) ? [link] : links;
    return places.some(({ addresses }) => addresses.some(isAt(source))) ? source : undefined;
  }
  const own = link.addresses.map(({ address }) => address).filter((address) => familyOf(address) === family);
  const fitting = family === 6 ? ipv6Sources(own, delivery) : own;
  return fitting.find((address) => !isVirtual(address)) ?? (priority === 255 ? fitting[0] : undefined);
}

/**
 * IPv6 adverts come from a link-local address (RFC 9568 5.1.2.2), unless a unicast peer may be behind a router, which
 * forwards none: then from one of the peer's scope, the nearest to it first (RFC 6724 5, rules 2 and 8).
 */
function ipv6Sources(own: readonly IpAddress[], delivery: Delivery): readonly IpAddress[] {
  const near = own.filter(isLinkLocal);
  const peers = delivery.kind === 'unicast' ? delivery.peers : [];
  const peer = peers.find(({ address }) => !isLinkLocal(address));
  if (peer === undefined) return near;
  const far = own.filter((address) => !isLinkLocal(address));
  const nearness = new Map(far.map((address) => [address, commonBits(address, peer.address)]));
  return [...far.sort((a, b) => (nearness.get(b) ?? 0) - (nearness.get(a) ?? 0)), ...near];
}

/** How many leading bits two addresses of one family have in common. */
function commonBits(a: IpAddress, b: IpAddress): number {
  const [left, right] = [ipBytes(a), ipBytes(b)];
  const at = left.findIndex((byte, i) => byte !== right[i]);
  return at < 0 ? left.length * 8 : at * 8 + Math.clz32((left[at] ?? 0) ^ (right[at] ?? 0)) - 24;
}

function isAt(wanted: IpAddress): (prefix: { readonly address: IpAddress }) => boolean {
  return ({ address }) => address === wanted;
}

/** A device that goes down takes its IPv6 addresses along. */
function missingText({ source, device, family }: VirtualRouter, { isUp }: Link): string {
  if (!isUp) return `interface ${device} is down`;
  if (source !== undefined) return `${source} is on no interface of this machine`;
  return `interface ${device} has no ${family === 4 ? 'IPv4' : 'link-local IPv6'} address of its own`;
}

function fault(reason: string, lack: 'gone' | 'unmade' | 'down'): Placement {
  return { kind: 'fault', reason, lack };
}
