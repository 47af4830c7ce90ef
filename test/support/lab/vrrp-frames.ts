// VRRP adverts as Ethernet frames, right or wrong in one chosen way, for `inject`. Written from the RFCs without a look
// at src/vrrp: a mistake of our codec shall not repeat itself in what judges it.

export type AdvertFrame = {
  readonly version: 2 | 3;
  readonly virtualRouterId: number;
  readonly priority: number;
  /** IPv4 or IPv6, both of one family. */
  readonly source: string;
  /** Default: the multicast group of the family. */
  readonly destination?: string;
  /** Default 255. */
  readonly ttl?: number;
  /** Default 1 s. In v2 whole seconds. */
  readonly interval_s?: number;
  readonly addresses: readonly string[];
  /** v2: authentication type 1 with this password. */
  readonly password?: string;
  /** v2: the type in the header, where it is not to fit the password. */
  readonly authenticationType?: number;
  /** v3 over IPv4: checksum over the message alone (RFC 9568) instead of with a pseudo-header (keepalived). */
  readonly hasBareChecksum?: boolean;
  readonly sourceMac?: string;
  readonly destinationMac?: string;
  /** Changes the VRRP message after its checksum has been computed; a new length is the packet's length. */
  readonly spoil?: (message: Buffer) => Buffer;
  /** Changes it before, so that the checksum is right. */
  readonly change?: (message: Buffer) => Buffer;
};

const protocol = 112;

export function advertFrame(spec: AdvertFrame): Buffer {
  const isV6 = spec.source.includes(':');
  const destination = spec.destination ?? (isV6 ? 'ff02::12' : '224.0.0.18');
  const [from, to] = [addressBytes(spec.source), addressBytes(destination)];
  const plain = (spec.change ?? same)(messageOf(spec));
  plain.writeUInt16BE(0, 6);
  const isBare = !isV6 && (spec.version === 2 || spec.hasBareChecksum === true);
  const pseudo = isV6
    ? Buffer.concat([from, to, Buffer.from([0, 0, 0, plain.length, 0, 0, 0, protocol])])
    : Buffer.concat([from, to, Buffer.from([0, protocol, 0, plain.length])]);
  plain.writeUInt16BE(checksum(isBare ? plain : Buffer.concat([pseudo, plain])), 6);
  const message = (spec.spoil ?? same)(plain);
  const header = isV6
    ? Buffer.concat([Buffer.from([0x60, 0, 0, 0, 0, message.length, protocol, spec.ttl ?? 255]), from, to])
    : ipv4Header(from, to, spec.ttl ?? 255, message.length);
  const groupMac = isV6 ? '33:33:00:00:00:12' : '01:00:5e:00:00:12';
  const ethernet = Buffer.concat([
    macBytes(spec.destinationMac ?? groupMac),
    macBytes(spec.sourceMac ?? '02:00:00:00:00:77'),
    Buffer.from(isV6 ? [0x86, 0xdd] : [0x08, 0x00]),
  ]);
  return Buffer.concat([ethernet, header, message]);
}

function messageOf(spec: AdvertFrame): Buffer {
  const interval = Math.round((spec.interval_s ?? 1) * (spec.version === 2 ? 1 : 100));
  const head = Buffer.from([
    spec.version * 16 + 1,
    spec.virtualRouterId,
    spec.priority,
    spec.addresses.length,
    spec.version === 2 ? (spec.authenticationType ?? (spec.password === undefined ? 0 : 1)) : interval >> 8,
    interval & 255,
    0,
    0,
  ]);
  const tail = Buffer.alloc(spec.version === 2 ? 8 : 0);
  tail.write(spec.password ?? '', 'latin1');
  return Buffer.concat([head, ...spec.addresses.map(addressBytes), tail]);
}

function ipv4Header(from: Buffer, to: Buffer, ttl: number, length: number): Buffer {
  const header = Buffer.concat([
    Buffer.from([0x45, 0xc0, 0, 20 + length, 0, 1, 0, 0, ttl, protocol, 0, 0]),
    from,
    to,
  ]);
  header.writeUInt16BE(checksum(header), 10);
  return header;
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return ~sum & 0xffff;
}

/** `10.1.0.2`, `fe80::1`; no IPv4 inside IPv6. */
function addressBytes(text: string): Buffer {
  if (!text.includes(':')) return Buffer.from(text.split('.').map(Number));
  const [left = '', right] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const [front, back] = [groups(left), groups(right ?? '')];
  const zeros = Array<string>(8 - front.length - back.length).fill('0');
  const bytes = Buffer.alloc(16);
  for (const [index, group] of [...front, ...(right === undefined ? [] : zeros), ...back].entries()) {
    bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  }
  return bytes;
}

function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

function same(message: Buffer): Buffer {
  return message;
}
