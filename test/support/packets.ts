// Packets as tests see them: a frame is built from what a person would say of it, and read back into the same words.
// Reading verifies every checksum, so a wrong one fails the test that looked at anything else.

import { familyOf, formatIp, type IpAddress, ipBytes } from '../../src/model/address.js';

export type TransportPacket = {
  readonly protocol: 'tcp' | 'udp';
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly destinationPort: number;
  /** Letters of S A F R P; empty for UDP. */
  readonly flags: string;
};

export type IcmpPacket = {
  readonly protocol: 'icmp' | 'icmp6';
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly type: number;
  readonly code: number;
};

export type SeenPacket = (TransportPacket | IcmpPacket) & {
  readonly destinationMac: string;
  readonly ttl: number;
};

const ethernetSize = 14;
const flagBits: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16 };
const protocolNumbers = { tcp: 6, udp: 17, icmp: 1, icmp6: 58 } as const;

/** A complete Ethernet frame with right checksums; `destinationMac` is the device that receives it. */
export function buildFrame(
  packet: TransportPacket,
  destinationMac: string,
  payload = new Uint8Array(),
): Uint8Array {
  const segment = packet.protocol === 'tcp' ? tcpSegment(packet, payload) : udpDatagram(packet, payload);
  const number = protocolNumbers[packet.protocol];
  const checksumAt = packet.protocol === 'tcp' ? 16 : 6;
  const sum = checksum(pseudoHeader(packet.source, packet.destination, number, segment.length), segment);
  put16(segment, checksumAt, sum === 0 && packet.protocol === 'udp' ? 0xffff : sum);
  const header = ipHeader(packet, number, segment.length);
  const isIpv6 = familyOf(packet.source) === 6;
  return concat(
    macBytes(destinationMac),
    macBytes('02:00:00:00:00:01'),
    isIpv6 ? [0x86, 0xdd] : [8, 0],
    header,
    segment,
  );
}

/** What a frame says. Throws when it is cut short, of another kind, or has a wrong checksum. */
export function readFrame(frame: Uint8Array): SeenPacket {
  const destinationMac = Array.from(frame.subarray(0, 6), (byte) => byte.toString(16).padStart(2, '0')).join(
    ':',
  );
  const isIpv6 = get16(frame, 12) === 0x86dd;
  const ip = frame.subarray(ethernetSize);
  const { source, destination, number, ttl, body } = isIpv6 ? readIpv6(ip) : readIpv4(ip);
  const pseudo = pseudoHeader(source, destination, number, body.length);
  if (number === protocolNumbers.icmp || number === protocolNumbers.icmp6) {
    expectChecksum('icmp', isIpv6 ? checksum(pseudo, body) : checksum(body));
    const protocol = isIpv6 ? 'icmp6' : 'icmp';
    return { protocol, source, destination, type: body[0] ?? -1, code: body[1] ?? -1, destinationMac, ttl };
  }
  if (number !== protocolNumbers.tcp && number !== protocolNumbers.udp) throw new Error(`protocol ${number}`);
  const protocol = number === protocolNumbers.tcp ? 'tcp' : 'udp';
  if (protocol === 'tcp' || get16(body, 6) !== 0) expectChecksum(protocol, checksum(pseudo, body));
  const flags = protocol === 'tcp' ? flagLetters(body[13] ?? 0) : '';
  const ports = { sourcePort: get16(body, 0), destinationPort: get16(body, 2) };
  return { protocol, source, destination, ...ports, flags, destinationMac, ttl };
}

function tcpSegment(packet: TransportPacket, payload: Uint8Array): Uint8Array {
  const header = new Uint8Array(20);
  put16(header, 0, packet.sourcePort);
  put16(header, 2, packet.destinationPort);
  header[12] = 5 << 4;
  header[13] = [...packet.flags].reduce((bits, letter) => bits | (flagBits[letter] ?? 0), 0);
  put16(header, 14, 65_535);
  return concat(header, payload);
}

function udpDatagram(packet: TransportPacket, payload: Uint8Array): Uint8Array {
  const header = new Uint8Array(8);
  put16(header, 0, packet.sourcePort);
  put16(header, 2, packet.destinationPort);
  put16(header, 4, 8 + payload.length);
  return concat(header, payload);
}

function ipHeader(packet: TransportPacket, number: number, length: number): Uint8Array {
  if (familyOf(packet.source) === 6) {
    const header = new Uint8Array(40);
    header[0] = 0x60;
    put16(header, 4, length);
    header[6] = number;
    header[7] = 64;
    header.set(ipBytes(packet.source), 8);
    header.set(ipBytes(packet.destination), 24);
    return header;
  }
  const header = new Uint8Array(20);
  header[0] = 0x45;
  put16(header, 2, 20 + length);
  put16(header, 6, 0x4000);
  header[8] = 64;
  header[9] = number;
  header.set(ipBytes(packet.source), 12);
  header.set(ipBytes(packet.destination), 16);
  put16(header, 10, checksum(header));
  return header;
}

function readIpv4(ip: Uint8Array) {
  const headerSize = ((ip[0] ?? 0) & 15) * 4;
  expectChecksum('ipv4 header', checksum(ip.subarray(0, headerSize)));
  return {
    source: formatIp(ip.slice(12, 16)),
    destination: formatIp(ip.slice(16, 20)),
    number: ip[9] ?? 0,
    ttl: ip[8] ?? 0,
    body: ip.subarray(headerSize, get16(ip, 2)),
  };
}

function readIpv6(ip: Uint8Array) {
  return {
    source: formatIp(ip.slice(8, 24)),
    destination: formatIp(ip.slice(24, 40)),
    number: ip[6] ?? 0,
    ttl: ip[7] ?? 0,
    body: ip.subarray(40, 40 + get16(ip, 4)),
  };
}

function pseudoHeader(source: IpAddress, destination: IpAddress, number: number, length: number): Uint8Array {
  return concat(ipBytes(source), ipBytes(destination), [
    length >>> 24,
    length >>> 16,
    length >>> 8,
    length,
    0,
    0,
    0,
    number,
  ]);
}

/** RFC 1071 over the concatenation of `parts`, of which all but the last have even length. */
function checksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += ((part[i] ?? 0) << 8) | (part[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

function expectChecksum(what: string, rest: number): void {
  if (rest !== 0) throw new Error(`wrong ${what} checksum (off by 0x${rest.toString(16)})`);
}

function flagLetters(bits: number): string {
  return [...'SRFPA'].filter((letter) => (bits & (flagBits[letter] ?? 0)) !== 0).join('');
}

function macBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
}

function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function get16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 255;
}
