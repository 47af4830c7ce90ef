// Adverts that are no virtual router's of ours: counted, and their senders kept by name, for a peer whose configuration has
// another VRID is one of them, and both directors hold the addresses then. Sources can be forged: bounded.

import type { NetworkEvent } from '../../dataplane/network.js';
import { familyOf, type IpAddress } from '../../model/address.js';
import type { VirtualRouter } from '../../model/virtual-router.js';
import { readAddresses, readHeader } from '../../vrrp/advert.js';

export type StraySender = {
  readonly device: string;
  readonly source: IpAddress;
  readonly virtualRouterId: number;
  readonly count: number;
  /** An address of ours in its adverts, and whose it is here. */
  readonly claims: { readonly address: IpAddress; readonly router: string } | undefined;
};

export type StraysView = {
  /** Too short to name a virtual router. */
  readonly short: number;
  /** For a VRID that is not configured on the device that heard them. */
  readonly unknownRouter: number;
  /** Those that claim an address of ours first, then the most recent. */
  readonly senders: readonly StraySender[];
};

export const noStrays: StraysView = { short: 0, unknownRouter: 0, senders: [] };

type AdvertEvent = Extract<NetworkEvent, { kind: 'advert' }>;

const maxSenders = 32;

export class Strays {
  private short = 0;
  private unknownRouter = 0;
  /** The most recent last. */
  private readonly senders = new Map<string, StraySender>();

  get view(): StraysView {
    const recent = [...this.senders.values()].reverse();
    const claiming = recent.filter(({ claims }) => claims !== undefined);
    const others = recent.filter(({ claims }) => claims === undefined);
    return { short: this.short, unknownRouter: this.unknownRouter, senders: [...claiming, ...others] };
  }

  noteShort(): void {
    this.short += 1;
  }

  /** `neighbours`: the virtual routers that listen where it was heard. Gives its sender as it is known now. */
  note({ message, device, source }: AdvertEvent, neighbours: readonly VirtualRouter[]): StraySender {
    this.unknownRouter += 1;
    const virtualRouterId = message[1] ?? 0;
    const key = `${device} ${source} ${virtualRouterId}`;
    const count = (this.senders.get(key)?.count ?? 0) + 1;
    const sender = { device, source, virtualRouterId, count, claims: claimsOf(message, source, neighbours) };
    this.senders.delete(key);
    this.senders.set(key, sender);
    if (this.senders.size > maxSenders) this.evict();
    return sender;
  }

  /** Whoever claims nothing goes first. */
  private evict(): void {
    const entries = [...this.senders];
    const [key] = entries.find(([, { claims }]) => claims === undefined) ?? entries[0] ?? [];
    if (key !== undefined) this.senders.delete(key);
  }
}

/** What to write where one claims an address of ours; undefined: it doesn't. */
export function strayText(
  { source, device, virtualRouterId, claims }: StraySender,
  own: number,
): string | undefined {
  if (claims === undefined) return undefined;
  const { address, router } = claims;
  return `${source} on ${device} sends adverts for ${address} with VRID ${virtualRouterId}, and ${router} has VRID ${own}: neither hears the other, and both hold the address; write one virtual_router_id on both`;
}

function claimsOf(
  message: Uint8Array,
  source: IpAddress,
  neighbours: readonly VirtualRouter[],
): StraySender['claims'] {
  const family = familyOf(source);
  const header = readHeader(message, family);
  if (header === undefined || message.length < header.expectedLength) return undefined;
  const claimed = new Set(readAddresses(message, header, family));
  for (const { name, addresses, excludedAddresses } of neighbours) {
    const found = [...addresses, ...excludedAddresses].find(({ address }) => claimed.has(address));
    if (found !== undefined) return { address: found.address, router: name };
  }
  return undefined;
}
