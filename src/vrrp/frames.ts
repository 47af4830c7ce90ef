// Ethernet frames that neighbours learn addresses from: ARP (RFC 826) and neighbour discovery (RFC 4861), built and read.
// What they are sent for is the business of announcement.ts and address-probe.ts.

import { formatIp, type IpAddress, ipBytes, parseIp } from '../model/address.js';
import { internetChecksum, pseudoHeader } from './checksum.js';

const etherHeader = 14;
const arpSize = 28;
const ipv6Header = 40;
const neighbourMessage = 24;
const icmpv6 = 58;
/** RFC 4861 7.1: anything less came through a router. */
const hopLimit = 255;

export const unspecified4 = formatIp(new Uint8Array(4));
export const unspecified6 = formatIp(new Uint8Array(16));
export const broadcastMac = 'ff:ff:ff:ff:ff:ff';
export const neighbourKinds = { solicitation: 135, advertisement: 136 } as const;

/** The six bytes of `02:00:00:00:00:01`. Throws TypeError when that is none. */
export function macBytes(mac: string): Uint8Array {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac)) throw new TypeError(`not a MAC address: ${mac}`);
  return Uint8Array.from(mac.split(':'), (part) => Number.parseInt(part, 16));
}

export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** A broadcast ARP request of `mac`, which says that it is `sender`, for `target`. 42 bytes. */
export function arpRequest(mac: string, sender: IpAddress, target: IpAddress): Uint8Array {
  const frame = etherFrame(broadcastMac, mac, 0x0806, arpSize);
  frame.set([0, 1, 0x08, 0, 6, 4, 0, 1], etherHeader);
  frame.set(macBytes(mac), 22);
  frame.set(ipBytes(sender), 28);
  frame.set(ipBytes(target), 38);
  return frame;
}

export type NeighbourMessage = {
  readonly kind: keyof typeof neighbourKinds;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly target: IpAddress;
  /** The first byte of the flags: router 0x80, solicited 0x40, override 0x20. */
  readonly flags: number;
  /** The link-layer address in the option; undefined: none. */
  readonly option: { readonly type: 1 | 2; readonly mac: string } | undefined;
};

/** The frame of `message`, from `mac` to the multicast MAC of its destination. */
export function neighbourFrame(mac: string, message: NeighbourMessage): Uint8Array {
  const { source, destination, target, option } = message;
  const size = neighbourMessage + (option === undefined ? 0 : 8);
  const body = new Uint8Array(size);
  body[0] = neighbourKinds[message.kind];
  body[4] = message.flags;
  body.set(ipBytes(target), 8);
  if (option !== undefined) {
    body.set([option.type, 1], neighbourMessage);
    body.set(macBytes(option.mac), neighbourMessage + 2);
  }
  const sum = internetChecksum(...pseudoHeader(source, destination, size, icmpv6), body);
  body.set([sum >> 8, sum & 255], 2);
  const multicast = Uint8Array.from([0x33, 0x33, ...ipBytes(destination).slice(12)]);
  const frame = etherFrame(formatMac(multicast), mac, 0x86dd, ipv6Header + size);
  frame.set([0x60, 0, 0, 0, 0, size, icmpv6, hopLimit], etherHeader);
  frame.set(ipBytes(source), etherHeader + 8);
  frame.set(ipBytes(destination), etherHeader + 24);
  frame.set(body, etherHeader + ipv6Header);
  return frame;
}

/** Who says to hold which address. */
export type Holder = { readonly address: IpAddress; readonly mac: string };

/**
 * The holder that `frame` names: the sender of any ARP message (RFC 5227 2.1.1), the target of a neighbour
 * advertisement. Undefined when it names none. Any bytes are good input.
 */
export function readHolder(frame: Uint8Array): Holder | undefined {
  const type = ((frame[12] ?? 0) << 8) | (frame[13] ?? 0);
  if (type === 0x0806) return readArpSender(frame);
  return type === 0x86dd ? readAdvertised(frame) : undefined;
}

function readArpSender(frame: Uint8Array): Holder | undefined {
  if (frame.length < etherHeader + arpSize) return undefined;
  const isIpv4 = [0, 1, 0x08, 0, 6, 4].every((byte, i) => frame[etherHeader + i] === byte);
  if (!isIpv4) return undefined;
  return { mac: formatMac(frame.slice(22, 28)), address: formatIp(frame.slice(28, 32)) };
}

function readAdvertised(frame: Uint8Array): Holder | undefined {
  const at = etherHeader + ipv6Header;
  if (frame.length < at + neighbourMessage || frame[20] !== icmpv6 || frame[21] !== hopLimit)
    return undefined;
  if (frame[at] !== neighbourKinds.advertisement) return undefined;
  const address = formatIp(frame.slice(at + 8, at + 24));
  const option = frame.slice(at + neighbourMessage, at + neighbourMessage + 8);
  const isTarget = option.length === 8 && option[0] === 2 && option[1] === 1;
  return { mac: formatMac(isTarget ? option.slice(2) : frame.slice(6, 12)), address };
}

/** ff02::1:ffXX:XXXX, the group that hears solicitations for `address` (RFC 4291 2.7.1). */
export function solicitedNode(address: IpAddress): IpAddress {
  const bytes = ipBytes('ff02::1:ff00:0' as IpAddress);
  bytes.set(ipBytes(address).slice(13), 13);
  return formatIp(bytes);
}

export const allNodes = parseIp('ff02::1') as IpAddress;

function etherFrame(destination: string, source: string, type: number, payload: number): Uint8Array {
  const frame = new Uint8Array(etherHeader + payload);
  frame.set(macBytes(destination), 0);
  frame.set(macBytes(source), 6);
  frame.set([type >> 8, type & 255], 12);
  return frame;
}
