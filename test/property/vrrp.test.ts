// The advert codec and the election, for any input: decode∘encode = id, and of two routers exactly one wins.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatIp, type IpAddress } from '../../src/model/address.js';
import { type Micros, micros, seconds } from '../../src/model/units.js';
import {
  type Advert,
  checksumConvention,
  encodeAdvert,
  readAddresses,
  readHeader,
} from '../../src/vrrp/advert.js';
import { step } from '../../src/vrrp/instance.js';
import { receive } from '../../src/vrrp/receive.js';
import { createInstance, nextDeadline, type VrrpState } from '../../src/vrrp/state.js';
import { heard, policy, router } from '../unit/vrrp/fixtures.js';

const address = (size: 4 | 16) =>
  fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => formatIp(bytes));

const sample = fc
  .record({ version: fc.constantFrom(2 as const, 3 as const), isIpv6: fc.boolean() })
  .chain(({ version, isIpv6 }) => {
    const size = isIpv6 && version === 3 ? 16 : 4;
    return fc.record({
      version: fc.constant(version),
      virtualRouterId: fc.integer({ min: 1, max: 255 }),
      priority: fc.integer({ min: 0, max: 255 }),
      interval:
        version === 2
          ? fc.integer({ min: 1, max: 255 }).map((n) => seconds(n))
          : fc.integer({ min: 1, max: 4095 }).map((n) => micros(n * 10_000)),
      addresses: fc.uniqueArray(address(size), { minLength: 1, maxLength: 30 }),
      password: version === 2 ? fc.option(fc.stringMatching(/^[!-~]{1,8}$/)) : fc.constant(null),
      source: address(size),
      destination: address(size),
      convention: fc.constantFrom('pseudo-header' as const, 'message' as const),
    });
  });

type Sample = typeof sample extends fc.Arbitrary<infer T> ? T : never;

function advertOf({ version, virtualRouterId, priority, interval, addresses, password }: Sample): Advert {
  const authentication =
    password === null ? { kind: 'none' as const } : { kind: 'simple' as const, password };
  return { version, virtualRouterId, priority, interval: interval as Micros, addresses, authentication };
}

const arrivalOf = ({ source, destination }: Sample) => ({ source, destination, ttl: 255, isMulticast: true });

function policyOf(input: Sample) {
  const { version, virtualRouterId, interval, convention } = input;
  const ours = router({
    version,
    virtualRouterId,
    advertInterval: interval as Micros,
    checksum: convention,
    authentication: advertOf(input).authentication,
    addresses: input.addresses.map((one: IpAddress) => ({
      address: one,
      length: 32,
      device: undefined,
      label: undefined,
      scope: 'global' as const,
      broadcast: undefined,
    })),
  });
  return { router: ours, ownSources: [], followed: undefined };
}

describe('codec', () => {
  test('what is written is read again', () => {
    fc.assert(
      fc.property(sample, (input) => {
        const advert = advertOf(input);
        const bytes = encodeAdvert(advert, input, input.convention);
        const family = input.source.includes(':') ? 6 : 4;
        const header = readHeader(bytes, family);
        expect(header).toMatchObject({
          type: 1,
          version: advert.version,
          virtualRouterId: advert.virtualRouterId,
          priority: advert.priority,
          interval: advert.interval,
          addressCount: advert.addresses.length,
          expectedLength: bytes.length,
        });
        if (header === undefined) return;
        expect(readAddresses(bytes, header, family)).toEqual(advert.addresses);
        expect(checksumConvention(bytes, advert.version, input, input.convention)).toBe(input.convention);
      }),
    );
  });

  test('and accepted by a router configured alike', () => {
    fc.assert(
      fc.property(sample, (input) => {
        const bytes = encodeAdvert(advertOf(input), input, input.convention);
        expect(receive(bytes, arrivalOf(input), policyOf(input)).kind).toBe('accepted');
      }),
    );
  });

  test('one flipped bit is found; at worst it looks like the other checksum convention, and that is told', () => {
    fc.assert(
      fc.property(sample, fc.nat(), (input, at) => {
        const bytes = encodeAdvert(advertOf(input), input, input.convention);
        const bit = at % (bytes.length * 8);
        const index = bit >> 3;
        bytes[index] = (bytes[index] ?? 0) ^ (1 << (bit & 7));
        const reception = receive(bytes, arrivalOf(input), policyOf(input));
        if (reception.kind === 'accepted') expect(reception.advert.hasOtherChecksum).toBe(true);
      }),
    );
  });
});

describe('deadlines', () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant('advert' as const), priority: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ kind: fc.constantFrom('deadline' as const, 'release' as const, 'switchover' as const) }),
    fc.record({ kind: fc.constantFrom('start' as const, 'stop' as const, 'allow-preemption' as const) }),
    fc.record({ kind: fc.constant('fault' as const), isFaulty: fc.boolean() }),
  );

  test('no event leaves a deadline behind that stays due after it was served', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(event, fc.integer({ min: 0, max: 5_000_000 })), { maxLength: 40 }),
        (events) => {
          const ours = policy();
          let state: VrrpState = createInstance(ours.router, micros(0));
          let now = micros(0);
          const apply = (given: Parameters<typeof step>[1]) => {
            state = step(state, given, now, ours).state;
          };
          apply({ kind: 'start' });
          for (const [given, wait] of events) {
            now = micros(now + wait);
            for (let served = 0; (nextDeadline(state) ?? Number.POSITIVE_INFINITY) <= now; served++) {
              expect(served).toBeLessThan(5);
              apply({ kind: 'deadline' });
            }
            if (given.kind === 'advert') apply(heard(given.priority));
            else if (given.kind === 'fault') {
              apply({ kind: 'tracking', priority: 100, faults: given.isFaulty ? ['x'] : [] });
            } else apply(given);
          }
        },
      ),
    );
  });
});
