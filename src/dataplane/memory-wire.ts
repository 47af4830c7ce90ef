// The wire between memory networks (memory-network.ts): carries adverts and frames to everybody else on the same
// segment, in a later turn of the event loop, as a real one would. Loses nothing unless a test cuts it, and keeps a
// record of everything that was said.

import { type Family, formatIp, type IpAddress, ipBytes } from '../model/address.js';
import type { Micros } from '../model/units.js';

/** Monotonic time and alarms as src/runtime/clock.ts has them; `at` and `soon` give back what cancels them. */
export type NetworkClock = {
  now(): Micros;
  at(deadline: Micros, callback: () => void): () => void;
  soon(callback: () => void): () => void;
};

/** A VRRP message on its way. */
export type WireAdvert = {
  readonly at: Micros;
  readonly device: string;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly ttl: number;
  readonly bytes: Uint8Array;
  /** Who said it: a call of `advertise`, the repeater, or the guardian in a dead director's place. */
  readonly by: 'director' | 'repeater' | 'guardian';
};

export type WireFrame = { readonly at: Micros; readonly device: string; readonly frame: Uint8Array };

/** Who is on the wire. Called in a turn of its own for everything that arrives. */
export interface WireStation {
  hearAdvert(segment: string, advert: WireAdvert): void;
  hearFrame(segment: string, frame: Uint8Array): void;
}

export class MemoryWire {
  /** Everything that was said on any segment, in order. */
  readonly adverts: WireAdvert[] = [];
  readonly frames: WireFrame[] = [];
  private readonly stations = new Set<WireStation>();
  private readonly cuts = new Map<WireStation, Set<WireStation>>();

  constructor(private readonly clock: Pick<NetworkClock, 'soon'>) {}

  join(station: WireStation): void {
    this.stations.add(station);
  }

  leave(station: WireStation): void {
    this.stations.delete(station);
  }

  /** From now on nothing of `from` reaches `to`; the other direction stays. */
  cut(from: WireStation, to: WireStation): void {
    const silenced = this.cuts.get(from) ?? new Set();
    this.cuts.set(from, silenced.add(to));
  }

  heal(): void {
    this.cuts.clear();
  }

  carryAdvert(from: WireStation, segment: string, advert: WireAdvert): void {
    this.adverts.push(advert);
    this.carry(from, (station) => station.hearAdvert(segment, advert));
  }

  carryFrame(from: WireStation, segment: string, frame: WireFrame): void {
    this.frames.push(frame);
    this.carry(from, (station) => station.hearFrame(segment, frame.frame));
  }

  private carry(from: WireStation, deliver: (station: WireStation) => void): void {
    this.clock.soon(() => {
      for (const station of [...this.stations]) {
        if (station !== from && !this.cuts.get(from)?.has(station)) deliver(station);
      }
    });
  }
}

/** An ARP request or a neighbour solicitation: who asks for which address. */
export type AddressQuestion = {
  readonly family: Family;
  readonly target: IpAddress;
  /** `0.0.0.0` or `::` for a probe that must not teach anybody anything. */
  readonly asker: IpAddress;
  readonly askerMac: Uint8Array;
};

const macSize = 6;
const etherHeader = 14;
const arpSize = 28;
const ipv6Header = 40;
const solicitation = 135;
const advertisement = 136;
const allNodes = formatIp(ipBytes('ff02::1' as IpAddress));

/** What `frame` asks; undefined when it is no question. */
export function questionIn(frame: Uint8Array): AddressQuestion | undefined {
  const askerMac = frame.slice(macSize, 2 * macSize);
  if (isArp(frame, 1)) {
    const asker = formatIp(frame.slice(28, 32));
    return { family: 4, target: formatIp(frame.slice(38, 42)), asker, askerMac };
  }
  if (isNeighbourMessage(frame, solicitation)) {
    const asker = formatIp(frame.slice(etherHeader + 8, etherHeader + 24));
    return { family: 6, target: formatIp(frame.slice(62, 78)), asker, askerMac };
  }
  return undefined;
}

/** The address whose holder `frame` names: an ARP reply's sender or a neighbour advertisement's target. */
export function answeredAddress(frame: Uint8Array): IpAddress | undefined {
  if (isArp(frame, 2)) return formatIp(frame.slice(28, 32));
  if (isNeighbourMessage(frame, advertisement)) return formatIp(frame.slice(62, 78));
  return undefined;
}

/** The frame by which `mac` says that it holds the address. The checksum of ICMPv6 is left out: nobody here reads it. */
export function answerTo(question: AddressQuestion, mac: string): Uint8Array {
  const own = Uint8Array.from(mac.split(':'), (part) => Number.parseInt(part, 16));
  return question.family === 4 ? arpReply(question, own) : neighbourAdvertisement(question, own);
}

function arpReply({ target, asker, askerMac }: AddressQuestion, mac: Uint8Array): Uint8Array {
  const head = [0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2];
  return Uint8Array.from([
    ...askerMac,
    ...mac,
    ...head,
    ...mac,
    ...ipBytes(target),
    ...askerMac,
    ...ipBytes(asker),
  ]);
}

function neighbourAdvertisement({ target, asker, askerMac }: AddressQuestion, mac: Uint8Array): Uint8Array {
  const isProbe = asker === '::';
  const destination = isProbe ? allNodes : asker;
  const destinationMac = isProbe ? [0x33, 0x33, 0, 0, 0, 1] : [...askerMac];
  const flags = isProbe ? 0x20 : 0x60;
  const optionSize = 8;
  const size = 24 + optionSize;
  return Uint8Array.from([
    ...destinationMac,
    ...mac,
    ...[0x86, 0xdd, 0x60, 0, 0, 0, 0, size, 58, 255],
    ...ipBytes(target),
    ...ipBytes(destination),
    ...[advertisement, 0, 0, 0, flags, 0, 0, 0],
    ...ipBytes(target),
    ...[2, 1],
    ...mac,
  ]);
}

function isArp(frame: Uint8Array, operation: number): boolean {
  return (
    frame.length >= etherHeader + arpSize &&
    frame[12] === 0x08 &&
    frame[13] === 0x06 &&
    frame[21] === operation
  );
}

function isNeighbourMessage(frame: Uint8Array, type: number): boolean {
  const icmp = etherHeader + ipv6Header;
  return (
    frame.length >= icmp + 24 &&
    frame[12] === 0x86 &&
    frame[13] === 0xdd &&
    frame[20] === 58 &&
    frame[icmp] === type
  );
}
