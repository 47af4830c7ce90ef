// The codec against bytes that a real router sent, and the receive ladder rung by rung: reasons and their order.
import { describe, expect, test } from 'vitest';
import { micros, seconds } from '../../../src/model/units.js';
import type { VirtualRouter } from '../../../src/model/virtual-router.js';
import { type Advert, encodeAdvert, readAddresses, readHeader } from '../../../src/vrrp/advert.js';
import { internetChecksum } from '../../../src/vrrp/checksum.js';
import { type Arrival, type ReceivePolicy, receive, rejections } from '../../../src/vrrp/receive.js';
import { higher, ip, ours, router, vip } from './fixtures.js';

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const hex = (message: Uint8Array) => Buffer.from(message).toString('hex');
const group = ip('224.0.0.18');

/** As captured from keepalived 2.2.7. */
const captured = [
  {
    what: 'v2, two addresses',
    path: { source: ip('10.99.0.1'), destination: group },
    advert: { version: 2, virtualRouterId: 51, priority: 100, interval: seconds(1) },
    addresses: ['10.99.0.100', '10.99.0.101'],
    password: undefined,
    bytes: '21336402 0001653a 0a630064 0a630065 00000000 00000000',
  },
  {
    what: 'v2 with a password',
    path: { source: ip('10.99.0.1'), destination: group },
    advert: { version: 2, virtualRouterId: 53, priority: 255, interval: seconds(1) },
    addresses: ['10.99.0.111'],
    password: 'secret',
    bytes: '2135ff01 010197a9 0a63006f 73656372 65740000',
  },
  {
    what: 'v3 over IPv4, checksum with pseudo-header',
    path: { source: ip('10.99.0.1'), destination: group },
    advert: { version: 3, virtualRouterId: 52, priority: 255, interval: seconds(0.5) },
    addresses: ['10.99.0.110'],
    password: undefined,
    bytes: '3134ff01 0032d9d3 0a63006e',
  },
  {
    what: 'v3 over IPv6',
    path: { source: ip('fe80::ac85:57ff:fe3c:6899'), destination: ip('ff02::12') },
    advert: { version: 3, virtualRouterId: 61, priority: 255, interval: seconds(0.5) },
    addresses: ['fe80::99', 'fd99::100'],
    password: undefined,
    bytes: '313dff02 00326850 fe800000 00000000 00000000 00000099 fd990000 00000000 00000000 00000100',
  },
] as const;

describe('adverts of a real router', () => {
  test.each(captured)('$what: the same bytes, the same fields', (sample) => {
    const { path, password } = sample;
    const authentication =
      password === undefined ? { kind: 'none' as const } : { kind: 'simple' as const, password };
    const addresses = sample.addresses.map(ip);
    const advert: Advert = { ...sample.advert, addresses, authentication };
    expect(hex(encodeAdvert(advert, path, 'pseudo-header'))).toBe(sample.bytes.replaceAll(' ', ''));
    const family = path.source.includes(':') ? 6 : 4;
    const header = readHeader(bytes(sample.bytes), family);
    expect(header).toMatchObject({ ...sample.advert, type: 1, addressCount: addresses.length });
    if (header !== undefined) expect(readAddresses(bytes(sample.bytes), header, family)).toEqual(addresses);
  });

  test.each(captured)('$what: accepted', (sample) => {
    const { version, virtualRouterId, interval, priority } = sample.advert;
    const policy = policyOf({
      version,
      virtualRouterId,
      advertInterval: interval,
      addresses: sample.addresses.map((text) => vip(text)),
      authentication:
        sample.password === undefined ? { kind: 'none' } : { kind: 'simple', password: sample.password },
    });
    const arrival = { ...sample.path, ttl: 255, isMulticast: true };
    expect(receive(bytes(sample.bytes), arrival, policy)).toEqual({
      kind: 'accepted',
      advert: { source: sample.path.source, priority, interval, hasOtherChecksum: false },
    });
  });
});

function policyOf(overrides: Partial<VirtualRouter> = {}, followed = undefined as ReceivePolicy['followed']) {
  return { router: router(overrides), ownSources: [ours], followed };
}

const arrival: Arrival = { source: higher, destination: group, ttl: 255, isMulticast: true };

/** An advert that a router like ours sends, changed at will; the checksum is right unless asked otherwise. */
function message(
  change: (message: Uint8Array) => void = () => {},
  overrides: Partial<VirtualRouter> = {},
  isChecksumRight = true,
): Uint8Array {
  const { version, virtualRouterId, advertInterval, addresses, authentication } = router(overrides);
  const advert: Advert = {
    version,
    virtualRouterId,
    priority: 150,
    interval: advertInterval,
    addresses: addresses.map(({ address }) => address),
    authentication,
  };
  const result = encodeAdvert(advert, arrival, 'pseudo-header');
  change(result);
  if (isChecksumRight && version === 2) {
    result.fill(0, 6, 8);
    const sum = internetChecksum(result);
    result.set([sum >> 8, sum & 255], 6);
  }
  return result;
}

const simple = { authentication: { kind: 'simple', password: 'secret' } } as const;
const peer = { address: higher, minTtl: 0, maxTtl: 255 };
const unicast = (checksSource: boolean, peers = [peer]) =>
  ({ delivery: { kind: 'unicast', peers, checksSource, ttl: 255 } }) as const;
const direct: Arrival = { ...arrival, destination: ours, isMulticast: false };

/** In the order of the ladder: each is wrong in one thing only. */
const rungs: readonly (readonly [
  (typeof rejections)[number],
  Uint8Array,
  Partial<Arrival>,
  Partial<VirtualRouter>,
])[] = [
  ['length', message().subarray(0, 7), {}, {}],
  ['ttl', message(), { ttl: 254 }, {}],
  ['version', message((m) => m.fill(0x31, 0, 1)), {}, {}],
  ['virtual-router-id', message((m) => m.fill(52, 1, 2)), {}, {}],
  ['own-advert', message(), { source: ours }, {}],
  ['length', message().subarray(0, 23), {}, {}],
  ['length', Uint8Array.from([...message(), 0, 0, 0, 0]), {}, {}],
  ['authentication-type', message(), {}, simple],
  [
    'authentication',
    message(() => {}, { authentication: { kind: 'simple', password: 'other' } }),
    {},
    simple,
  ],
  ['interval', message((m) => m.fill(2, 5, 6)), {}, {}],
  ['type', message((m) => m.fill(0x22, 0, 1)), {}, {}],
  ['checksum', message((m) => m.fill(9, 6, 7), {}, false), {}, {}],
  ['delivery', message(), { isMulticast: false }, {}],
  ['unknown-peer', message(), { ...direct, source: ip('10.0.0.9') }, unicast(true)],
  ['addresses', message(() => {}, { addresses: [vip('10.0.0.100'), vip('10.0.0.199')] }), {}, {}],
  ['addresses', message(() => {}, { addresses: [vip('10.0.0.100')] }), {}, {}],
  ['addresses', message(() => {}, { addresses: [] }), {}, {}],
];

describe('the ladder', () => {
  test.each(rungs)('%s', (reason, bytes, at, overrides) => {
    expect(receive(bytes, { ...arrival, ...at }, policyOf(overrides))).toMatchObject({
      kind: 'rejected',
      reason,
    });
  });

  test('every reason has a rung', () => {
    expect([...new Set(rungs.map(([reason]) => reason))].sort()).toEqual([...rejections].sort());
  });

  test('the order: of a message that is wrong in everything, mended step by step, the first fault is named', () => {
    const overrides = { ...simple, ...unicast(true) };
    const wrong = message(
      (m) => {
        m[0] = 0x32; // version 3, type 2
        m[1] = 52;
        m[4] = 0;
        m[5] = 2;
        m.fill(7, 6, 8);
        m.fill(1, 8, 12); // another address
        m.fill(1, 16, 24); // another password
      },
      simple,
      false,
    );
    let at: Arrival = { ...arrival, source: ours, ttl: 64 };
    let current = wrong.subarray(0, 4);
    const seen: string[] = [];
    const see = () => {
      const reception = receive(current, at, policyOf(overrides));
      seen.push(reception.kind === 'rejected' ? reception.reason : reception.kind);
    };
    const mend = (change: () => void) => {
      see();
      change();
    };
    mend(() => {
      current = wrong.slice(0, 20);
    });
    mend(() => {
      at = { ...at, ttl: 255 };
    });
    mend(() => {
      current[0] = 0x22;
    });
    mend(() => {
      current[1] = 51;
    });
    mend(() => {
      at = { ...at, source: ip('10.0.0.9') };
    });
    mend(() => {
      current = Uint8Array.from([...current, 1, 1, 1, 1]);
    });
    mend(() => {
      current[4] = 1;
    });
    mend(() => {
      current.set(new TextEncoder().encode('secret\0\0'), 16);
    });
    mend(() => {
      current[5] = 1;
    });
    mend(() => {
      current[0] = 0x21;
    });
    mend(() => {
      current.fill(0, 6, 8);
      const sum = internetChecksum(current);
      current.set([sum >> 8, sum & 255], 6);
    });
    mend(() => {
      at = { ...at, isMulticast: false };
    });
    mend(() => {
      at = { ...at, source: higher };
    });
    see();
    expect(seen).toEqual([
      'length',
      'ttl',
      'version',
      'virtual-router-id',
      'own-advert',
      'length',
      'authentication-type',
      'authentication',
      'interval',
      'type',
      'checksum',
      'delivery',
      'unknown-peer',
      'addresses',
    ]);
  });
});

describe('lengths', () => {
  test('what fills the least Ethernet frame is no part of the message', () => {
    const short = message(() => {}, { addresses: [vip('10.0.0.100')] });
    const padded = Uint8Array.from([...short, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    const policy = policyOf({ addresses: [vip('10.0.0.100')] });
    expect(receive(padded, arrival, policy).kind).toBe('accepted');
    expect(receive(Uint8Array.from([...padded, 0]), arrival, policy)).toMatchObject({ reason: 'length' });
  });
});

describe('TTL of unicast peers', () => {
  test.each([
    [0, 255, 64, 'accepted'],
    [254, 255, 254, 'accepted'],
    [254, 255, 253, 'rejected'],
    [1, 10, 255, 'rejected'],
  ])('%i to %i, %i: %s', (minTtl, maxTtl, ttl, kind) => {
    const policy = policyOf(unicast(false, [{ address: higher, minTtl, maxTtl }]));
    expect(receive(message(), { ...direct, ttl }, policy).kind).toBe(kind);
  });

  test('an unknown source, where it may speak at all, must be on the link', () => {
    const stranger = { ...direct, source: ip('10.0.0.9') };
    expect(receive(message(), stranger, policyOf(unicast(false))).kind).toBe('accepted');
    expect(receive(message(), { ...stranger, ttl: 254 }, policyOf(unicast(false)))).toMatchObject({
      reason: 'ttl',
    });
  });
});

describe('checksum conventions of v3 over IPv4', () => {
  const v3 = (convention: 'pseudo-header' | 'message') => {
    const { addresses } = router();
    return encodeAdvert(
      {
        version: 3,
        virtualRouterId: 51,
        priority: 150,
        interval: seconds(1),
        addresses: addresses.map(({ address }) => address),
        authentication: { kind: 'none' },
      },
      arrival,
      convention,
    );
  };

  test.each([
    ['pseudo-header', 'pseudo-header', false],
    ['message', 'pseudo-header', true],
    ['pseudo-header', 'message', true],
    ['message', 'message', false],
  ] as const)('sent as %s, ours %s: accepted, told %s', (theirs, checksum, hasOtherChecksum) => {
    const policy = policyOf({ version: 3, checksum });
    expect(receive(v3(theirs), arrival, policy)).toMatchObject({ advert: { hasOtherChecksum } });
  });

  test('wrong by both: refused', () => {
    const wrong = v3('message');
    wrong[2] = 151;
    expect(receive(wrong, arrival, policyOf({ version: 3 }))).toMatchObject({ reason: 'checksum' });
  });
});

describe('address lists', () => {
  const reversed = message(() => {}, { addresses: [vip('10.0.0.101'), vip('10.0.0.100')] });
  const other = message(() => {}, { addresses: [vip('10.0.0.100')] });

  test('any order', () => {
    expect(receive(reversed, arrival, policyOf()).kind).toBe('accepted');
  });

  test.each([
    [true, higher, 'accepted'],
    [true, ip('10.0.0.9'), 'rejected'],
    [true, undefined, 'rejected'],
    [false, higher, 'rejected'],
  ])('skip_check_adv_addr %s, following %s: %s', (skipsKnownAddressCheck, followed, kind) => {
    expect(receive(other, arrival, policyOf({ skipsKnownAddressCheck }, followed)).kind).toBe(kind);
  });

  test('v3 without addresses is nobody, even where none are expected', () => {
    const empty = { version: 3, addresses: [] } as const;
    expect(
      receive(
        message(() => {}, empty),
        arrival,
        policyOf(empty),
      ),
    ).toMatchObject({
      reason: 'addresses',
    });
  });
});

test('v3: an interval of 0 would end every silence at once', () => {
  const zero = { version: 3, advertInterval: micros(0) } as const;
  expect(
    receive(
      message(() => {}, zero),
      arrival,
      policyOf({ version: 3 }),
    ),
  ).toMatchObject({
    reason: 'interval',
  });
});

test.each([
  ['interval', message(() => {}, { advertInterval: seconds(2) }), 'it says 2 s, here 1 s'],
  ['version', message(() => {}, { version: 3 }), 'it says 3, here 2'],
])('the two values behind %s', (reason, bytes, detail) => {
  expect(receive(bytes, arrival, policyOf({}))).toEqual({ kind: 'rejected', reason, detail });
});

test('v3: another interval is adopted later, so it is no fault here; reserved bits are ignored', () => {
  const slow = { version: 3, advertInterval: seconds(3) } as const;
  expect(
    receive(
      message(() => {}, slow),
      arrival,
      policyOf({ version: 3 }),
    ),
  ).toMatchObject({
    advert: { interval: seconds(3) },
  });
  const header = readHeader(bytes('3134ff01 f032d9d3'), 4);
  expect(header?.interval).toBe(seconds(0.5));
});
