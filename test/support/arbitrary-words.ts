// Words that the arbitraries of failover are made of: addresses, names, times.
import fc from 'fast-check';
import { formatIp, type IpAddress } from '../../src/model/address.js';
import { type Micros, micros } from '../../src/model/units.js';

/** `plain`: only what keepalived 2.2.7 takes without a remark where the devices e0 and e1 are. */
export type FailoverOptions = { readonly plain?: boolean };

export type Family = 4 | 6;

export const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(formatIp);
export const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatIp);
export const addressOf = (family: Family): fc.Arbitrary<IpAddress> => (family === 4 ? ipv4 : ipv6);
export const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });
export const plainWord = fc.stringMatching(/^[a-z][a-z0-9_-]{0,11}$/);
export const time = (min: number, max: number, step = 1): fc.Arbitrary<Micros> =>
  fc
    .integer({ min: Math.ceil(min / step), max: Math.floor(max / step) })
    .map((count) => micros(count * step));
export const second = 1_000_000;

export function anyText({ plain }: FailoverOptions): fc.Arbitrary<string> {
  return plain
    ? plainWord
    : fc.oneof(plainWord, fc.string({ minLength: 1, maxLength: 10, unit: 'grapheme' }));
}

export const device = ({ plain }: FailoverOptions) => (plain ? fc.constantFrom('e0', 'e1') : plainWord);

export const fileWeight = ({ plain }: FailoverOptions) =>
  fc.integer(plain ? { min: -254, max: 254 } : { min: -2_147_483_647, max: 2_147_483_647 });
