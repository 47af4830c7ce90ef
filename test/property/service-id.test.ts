// A service's key is one service's, and reads as it was written.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatIp } from '../../src/model/address.js';
import {
  addressService,
  familyOfService,
  maxMark,
  parseServiceKey,
  type ServiceId,
  serviceKey,
  virtualAddressOf,
} from '../../src/model/service-id.js';

const address = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(formatIp);
const ids: fc.Arbitrary<ServiceId> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('tcp' as const, 'udp' as const),
      address,
      fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 65_535 })),
    )
    .map((parts) => addressService(...parts)),
  fc.record({
    kind: fc.constant('mark' as const),
    mark: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: maxMark })),
    family: fc.constantFrom(4 as const, 6 as const),
  }),
);

test('what is written is read again', () => {
  fc.assert(
    fc.property(ids, (id) => {
      expect(parseServiceKey(serviceKey(id))).toEqual(id);
    }),
  );
});

test('two services have one key only when they are one', () => {
  fc.assert(
    fc.property(ids, ids, (a, b) => {
      expect(serviceKey(a) === serviceKey(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
    }),
  );
});

test.each([
  '',
  'tcp',
  'tcp 10.0.0.1',
  'tcp 10.0.0.1:65536',
  'tcp 10.0.0.1:080',
  'sctp 10.0.0.1:80',
  'tcp fd00::1:80',
  'tcp [10.0.0.1:80',
  'fwmark 0',
  'fwmark 4294967296',
  'fwmark 3 IPv4',
])('no key: %j', (text) => expect(parseServiceKey(text)).toBeUndefined());

test('a mark has a family and no address', () => {
  const id: ServiceId = { kind: 'mark', mark: 3, family: 6 };
  expect([familyOfService(id), virtualAddressOf(id)]).toEqual([6, undefined]);
});
