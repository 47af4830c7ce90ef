// The VRRP advert on the wire, versions 2 (RFC 3768 5.1) and 3 (RFC 5798 5.1, RFC 9568 5.1), as a value and back.
// Whether a received advert is to be believed is receive.ts's business; here only bytes become fields.
//
//    0               1               2               3
//   | version, type | VRID          | priority      | addresses     |
//   | v2: authentication, seconds   | checksum                      |   v3: 4 bits 0, 12 bits of 10 ms
//   | addresses … | v2: 8 bytes of authentication data              |

import { type Family, familyOf, formatIp, type IpAddress, ipBytes } from '../model/address.js';
import { encodeText } from '../model/text.js';
import { type Micros, micros } from '../model/units.js';
import type {
  Authentication,
  ChecksumConvention,
  VirtualRouter,
  VrrpVersion,
} from '../model/virtual-router.js';
import { internetChecksum, pseudoHeader } from './checksum.js';

export type Advert = {
  readonly version: VrrpVersion;
  readonly virtualRouterId: number;
  /** 0 gives mastership up, 1–254, 255 owns the addresses. */
  readonly priority: number;
  /** v2: whole seconds, 1–255. v3: hundredths of a second, 1–4095. */
  readonly interval: Micros;
  /** At most 255. */
  readonly addresses: readonly IpAddress[];
  /** v2 only; `none` in v3. */
  readonly authentication: Authentication;
};

/** What `router` adverts with `priority`: its effective one, or 0. */
export function advertOf(router: VirtualRouter, priority: number): Advert {
  const { version, virtualRouterId, advertInterval: interval, authentication } = router;
  const addresses = router.addresses.map(({ address }) => address);
  return { version, virtualRouterId, priority, interval, addresses, authentication };
}

/** Both ends; they stand in the pseudo-header. */
export type AdvertPath = { readonly source: IpAddress; readonly destination: IpAddress };

const headerSize = 8;
const authenticationSize = 8;
const advertisementType = 1;
const v2Unit_us = 1_000_000;
const v3Unit_us = 10_000;

/** The bytes of `advert` as sent along `path`, checksum included. The addresses are of the path's family. */
export function encodeAdvert(advert: Advert, path: AdvertPath, convention: ChecksumConvention): Uint8Array {
  const size = addressSize(familyOf(path.source));
  const tail = advert.version === 2 ? authenticationSize : 0;
  const bytes = new Uint8Array(headerSize + advert.addresses.length * size + tail);
  bytes[0] = (advert.version << 4) | advertisementType;
  bytes[1] = advert.virtualRouterId;
  bytes[2] = advert.priority;
  bytes[3] = advert.addresses.length;
  if (advert.version === 2) {
    bytes[4] = advert.authentication.kind === 'simple' ? 1 : 0;
    bytes[5] = Math.round(advert.interval / v2Unit_us);
  } else {
    const hundredths = Math.round(advert.interval / v3Unit_us);
    bytes[4] = (hundredths >> 8) & 15;
    bytes[5] = hundredths & 255;
  }
  for (const [i, address] of advert.addresses.entries()) bytes.set(ipBytes(address), headerSize + i * size);
  if (advert.version === 2 && advert.authentication.kind === 'simple') {
    bytes.set(passwordBytes(advert.authentication.password), bytes.length - authenticationSize);
  }
  const sum = advertChecksum(bytes, advert.version, path, convention);
  bytes[6] = sum >> 8;
  bytes[7] = sum & 255;
  return bytes;
}

/** The eight bytes that carry a v2 password; longer ones are cut. */
export function passwordBytes(password: string): Uint8Array {
  const bytes = new Uint8Array(authenticationSize);
  bytes.set(encodeText(password).subarray(0, authenticationSize));
  return bytes;
}

/** The fields of a message as they stand; nothing has been judged. */
export type AdvertHeader = {
  readonly version: number;
  readonly type: number;
  readonly virtualRouterId: number;
  readonly priority: number;
  readonly addressCount: number;
  /** v2 only. */
  readonly authenticationType: number;
  /** By the version's unit. */
  readonly interval: Micros;
  /** Length that version, family and count ask for, in bytes. */
  readonly expectedLength: number;
};

/** The fixed header of `message`; undefined when it is shorter than that. */
export function readHeader(message: Uint8Array, family: Family): AdvertHeader | undefined {
  if (message.length < headerSize) return undefined;
  const [first = 0, virtualRouterId = 0, priority = 0, addressCount = 0, fifth = 0, sixth = 0] = message;
  const version = first >> 4;
  const isV2 = version === 2;
  return {
    version,
    type: first & 15,
    virtualRouterId,
    priority,
    addressCount,
    authenticationType: isV2 ? fifth : 0,
    interval: isV2 ? micros(sixth * v2Unit_us) : micros((((fifth & 15) << 8) | sixth) * v3Unit_us),
    expectedLength: headerSize + addressCount * addressSize(family) + (isV2 ? authenticationSize : 0),
  };
}

/** The addresses of a message whose length has been checked against `expectedLength`. */
export function readAddresses(message: Uint8Array, header: AdvertHeader, family: Family): IpAddress[] {
  const size = addressSize(family);
  return Array.from({ length: header.addressCount }, (_, i) =>
    formatIp(message.slice(headerSize + i * size, headerSize + (i + 1) * size)),
  );
}

/** The v2 authentication data of a message whose length has been checked. */
export function readPassword(message: Uint8Array, header: AdvertHeader): Uint8Array {
  return message.slice(header.expectedLength - authenticationSize, header.expectedLength);
}

/** The convention by which the checksum in `message` is right; undefined when it is wrong. v2 and IPv6 have one. */
export function checksumConvention(
  message: Uint8Array,
  version: number,
  path: AdvertPath,
  preferred: ChecksumConvention,
): ChecksumConvention | undefined {
  if (advertChecksum(message, version, path, preferred) === 0) return preferred;
  const other = preferred === 'message' ? 'pseudo-header' : 'message';
  return advertChecksum(message, version, path, other) === 0 ? other : undefined;
}

/** Over a message whose checksum field is zero: the checksum. Over a complete one: 0 when it is right. */
function advertChecksum(
  message: Uint8Array,
  version: number,
  path: AdvertPath,
  convention: ChecksumConvention,
): number {
  const isBare = version === 2 || (familyOf(path.source) === 4 && convention === 'message');
  if (isBare) return internetChecksum(message);
  return internetChecksum(...pseudoHeader(path.source, path.destination, message.length), message);
}

function addressSize(family: Family): number {
  return family === 6 ? 16 : 4;
}
