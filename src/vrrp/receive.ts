// The receive ladder: what an advert must pass before the state machine hears of it. Order, reason, counter and source
// stand on one line a rung, and the order is tested. Where the RFCs leave a choice it is keepalived 2.2.7's, tried
// against the live program; where we differ from it, the rung says so.

import { type Family, familyOf, type IpAddress } from '../model/address.js';
import type { Micros } from '../model/units.js';
import type { Delivery, VirtualRouter } from '../model/virtual-router.js';
import {
  type AdvertPath,
  checksumConvention,
  passwordBytes,
  readAddresses,
  readHeader,
  readPassword,
} from './advert.js';

/** What the host knows of a received message besides its bytes (which begin after the IP header). */
export type Arrival = AdvertPath & {
  /** TTL or hop limit. */
  readonly ttl: number;
  readonly isMulticast: boolean;
};

export type ReceivePolicy = {
  readonly router: VirtualRouter;
  /** Addresses that we send from: an advert of ours that a bridge sent back is nobody's. */
  readonly ownSources: readonly IpAddress[];
  /** The master that is followed already; with `skip_check_adv_addr` its address list is not compared again. */
  readonly followed: IpAddress | undefined;
};

/** One counter each; the names are those of status and metrics. */
export const rejections = [
  'length',
  'ttl',
  'version',
  'virtual-router-id',
  'own-advert',
  'authentication-type',
  'authentication',
  'interval',
  'type',
  'checksum',
  'delivery',
  'unknown-peer',
  'addresses',
] as const;
export type Rejection = (typeof rejections)[number];

/** Refused for what a wrong configuration explains: its sender is a master, or means to be, that we can't talk to. */
export const misunderstandings: readonly Rejection[] = [
  'version',
  'authentication-type',
  'authentication',
  'interval',
  'checksum',
  'delivery',
  'unknown-peer',
  'addresses',
];

export type ReceivedAdvert = {
  readonly source: IpAddress;
  readonly priority: number;
  readonly interval: Micros;
  /** Its checksum follows the convention that we don't send by: such a peer may not understand us. */
  readonly hasOtherChecksum: boolean;
};

export type Reception =
  | { readonly kind: 'accepted'; readonly advert: ReceivedAdvert }
  /** `detail`: the two values, where there are two: `it says 2 s, here 1 s`. */
  | { readonly kind: 'rejected'; readonly reason: Rejection; readonly detail?: string };

/** Judges one message. Any bytes are good input. */
export function receive(message: Uint8Array, arrival: Arrival, policy: ReceivePolicy): Reception {
  const { router } = policy;
  const family = familyOf(arrival.source);
  const header = readHeader(message, family);
  if (header === undefined) return reject('length'); //                                    1. RFC 9568 7.1
  if (!isTtlRight(arrival, router.delivery)) return reject('ttl'); //                      2. RFC 9568 5.1.1.3
  if (header.version !== router.version) return reject('version', header.version, router.version); // 3. RFC 9568 7.1
  if (header.virtualRouterId !== router.virtualRouterId) return reject('virtual-router-id'); // 4. RFC 9568 7.1
  if (policy.ownSources.includes(arrival.source)) return reject('own-advert'); //          5. keepalived
  if (!isLengthRight(message.length, header.expectedLength, family)) return reject('length'); // 6. RFC 9568 7.1
  const bytes = message.subarray(0, header.expectedLength);
  if (router.version === 2) {
    const isSimple = router.authentication.kind === 'simple';
    if (header.authenticationType !== (isSimple ? 1 : 0)) return reject('authentication-type'); // 7. RFC 3768 7.1
    if (!isPasswordRight(readPassword(bytes, header), router)) return reject('authentication'); // 8. RFC 2338 5.3.6
    const intervals = [secondsOf(header.interval), secondsOf(router.advertInterval)] as const;
    if (header.interval !== router.advertInterval) return reject('interval', ...intervals); // 9. RFC 3768 7.1
  }
  if (header.interval === 0) return reject('interval'); //                                10. RFC 9568 erratum 8301
  if (header.type !== 1) return reject('type'); //                                        11. RFC 9568 5.2.2
  const convention = checksumConvention(bytes, header.version, arrival, router.checksum);
  if (convention === undefined) return reject('checksum'); //                             12. RFC 9568 7.1
  if (arrival.isMulticast === (router.delivery.kind === 'unicast')) return reject('delivery'); // 13. keepalived
  if (!isPeerKnown(arrival.source, router.delivery)) return reject('unknown-peer'); //    14. keepalived
  const isFollowed = router.skipsKnownAddressCheck && policy.followed === arrival.source;
  const list = readAddresses(bytes, header, family);
  if (!isFollowed && !isOurList(list, router)) return reject('addresses'); //             15. keepalived 2.2
  if (list.length === 0 && router.version === 3) return reject('addresses'); //           16. RFC 9568 erratum 8299
  const { priority, interval } = header;
  const hasOtherChecksum = convention !== router.checksum;
  return { kind: 'accepted', advert: { source: arrival.source, priority, interval, hasOtherChecksum } };
}

function reject(reason: Rejection, theirs?: string | number, ours?: string | number): Reception {
  return {
    kind: 'rejected',
    reason,
    ...(theirs === undefined ? {} : { detail: `it says ${theirs}, here ${ours}` }),
  };
}

function secondsOf(interval: Micros): string {
  return `${interval / 1_000_000} s`;
}

/** 255, so that nobody behind a router is heard. A unicast peer may be allowed less; an unknown one may not. */
function isTtlRight({ source, ttl }: Arrival, delivery: Delivery): boolean {
  if (delivery.kind === 'unicast') {
    const peer = delivery.peers.find(({ address }) => address === source);
    if (peer !== undefined) return ttl >= peer.minTtl && ttl <= peer.maxTtl;
  }
  return ttl === 255;
}

/** Longer only by what fills an Ethernet frame up to its least payload of 46 bytes. */
function isLengthRight(length: number, expected: number, family: Family): boolean {
  const room = 46 - (family === 6 ? 40 : 20);
  return length === expected || (length > expected && length <= room);
}

function isPasswordRight(received: Uint8Array, { authentication }: VirtualRouter): boolean {
  if (authentication.kind === 'none') return true;
  const expected = passwordBytes(authentication.password);
  return expected.every((byte, i) => byte === received[i]);
}

function isPeerKnown(source: IpAddress, delivery: Delivery): boolean {
  if (delivery.kind === 'multicast' || !delivery.checksSource) return true;
  return delivery.peers.some(({ address }) => address === source);
}

/** The same addresses, in any order. */
function isOurList(list: readonly IpAddress[], { addresses }: VirtualRouter): boolean {
  return list.length === addresses.length && addresses.every(({ address }) => list.includes(address));
}
