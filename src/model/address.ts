// IP addresses as canonical text (RFC 5952 for IPv6), so that equality is `===` and JSON needs no conversion.
// Parsing is strict: no octal, no missing parts, no zone.

declare const address: unique symbol;

/** Canonical text of an IPv4 or IPv6 address, for example `10.0.0.1` or `fd00::1`. */
export type IpAddress = string & { readonly [address]: true };

export type Family = 4 | 6;

/** An address with the length of its network prefix in bits (0–32 or 0–128). */
export type Prefix = { readonly address: IpAddress; readonly length: number };

/** fe80::/10: of one link, so the same address on two devices is two addresses. */
export function isLinkLocal(address: IpAddress): boolean {
  return /^fe[89ab][0-9a-f]:/.test(address);
}

export function familyOf(ip: IpAddress): Family {
  return ip.includes(':') ? 6 : 4;
}

/** How many bits an address has. */
export function addressBits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** The mask of IPv4 for a prefix of `length` bits: 24 is 255.255.255.0. */
export function maskText(length: number): string {
  return [0, 8, 16, 24].map((from) => 256 - 2 ** (8 - Math.min(8, Math.max(0, length - from)))).join('.');
}

/** The prefix length of a mask of IPv4; undefined: it is not one run of bits from the first on. */
export function maskLength(mask: IpAddress): number | undefined {
  return Array.from({ length: 33 }, (_, length) => length).find((length) => maskText(length) === mask);
}

/** The canonical address that `text` writes, or undefined when it writes none. */
export function parseIp(text: string): IpAddress | undefined {
  const bytes = text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  return bytes === undefined ? undefined : formatIp(bytes);
}

/** The 4 or 16 bytes of `ip` in network order. */
export function ipBytes(ip: IpAddress): Uint8Array {
  const bytes = familyOf(ip) === 6 ? parseIpv6(ip) : parseIpv4(ip);
  if (bytes === undefined) throw new TypeError(`not a canonical address: ${ip}`);
  return bytes;
}

/** Canonical text of 4 or 16 bytes in network order. */
export function formatIp(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) return bytes.join('.') as IpAddress;
  if (bytes.length !== 16) throw new TypeError(`an address has 4 or 16 bytes, not ${bytes.length}`);
  const words = Array.from({ length: 8 }, (_, i) => ((bytes[i * 2] ?? 0) << 8) | (bytes[i * 2 + 1] ?? 0));
  const run = longestZeroRun(words);
  const hex = (from: number, to: number) =>
    words
      .slice(from, to)
      .map((word) => word.toString(16))
      .join(':');
  if (run.length < 2) return hex(0, 8) as IpAddress;
  return `${hex(0, run.start)}::${hex(run.start + run.length, 8)}` as IpAddress;
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[i] = Number(part);
  }
  return bytes;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = ipv6Words(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? ipv6Words(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const gap = 8 - head.length - tail.length;
  if (halves.length === 1 ? gap !== 0 : gap < 1) return undefined;
  const words = [...head, ...new Array<number>(gap).fill(0), ...tail];
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 255]));
}

/** The 16-bit words of one side of `::`; an IPv4 tail is taken only where the address ends. */
function ipv6Words(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return [];
  const words: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (isEnd && i === parts.length - 1 && part.includes('.')) {
      const tail = parseIpv4(part);
      if (tail === undefined) return undefined;
      const [a = 0, b = 0, c = 0, d = 0] = tail;
      words.push((a << 8) | b, (c << 8) | d);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      words.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return words;
}

function longestZeroRun(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let i = 0; i <= words.length; i++) {
    if (i < words.length && words[i] === 0) continue;
    if (i - start > best.length) best = { start, length: i - start };
    start = i + 1;
  }
  return best;
}
