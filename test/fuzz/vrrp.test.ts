// Any bytes at the receive ladder: judged and counted, never thrown over, in bounded time, and nothing that is refused
// changes the state. The seeds are printed by the failing assertion.
import { expect, test } from 'vitest';
import { micros } from '../../src/model/units.js';
import { encodeAdvert } from '../../src/vrrp/advert.js';
import { step } from '../../src/vrrp/instance.js';
import { type Rejection, receive, rejections } from '../../src/vrrp/receive.js';
import { fuzzBudget_s, reportExecutions } from '../support/fuzz-budget.js';
import { backup, higher, ip, ours, router } from '../unit/vrrp/fixtures.js';

/** Small and seeded, so that a failure can be had again. */
function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const variants = [
  router(),
  router({ authentication: { kind: 'simple', password: 'secret' } }),
  router({ version: 3 }),
  router({ version: 3, checksum: 'message', skipsKnownAddressCheck: true }),
];

test('any bytes: counted, never thrown', () => {
  const counts = new Map<Rejection | 'accepted', number>();
  const until = performance.now() + fuzzBudget_s * 1000;
  let executions = 0;
  while (performance.now() < until) {
    for (let i = 0; i < 500; i++) {
      const seed = ++executions;
      const random = createRandom(seed * 2_654_435_761);
      const ours4 = variants[random(variants.length)] ?? router();
      const arrival = {
        source: random(20) === 0 ? ours : higher,
        destination: ip('224.0.0.18'),
        ttl: random(10) === 0 ? random(256) : 255,
        isMulticast: random(10) !== 0,
      };
      const bytes = random(4) === 0 ? noise(random) : mutate(valid(ours4, random), random);
      const reception = receive(bytes, arrival, { router: ours4, ownSources: [ours], followed: higher });
      const outcome = reception.kind === 'accepted' ? 'accepted' : reception.reason;
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      if (reception.kind === 'accepted') {
        const { advert } = reception;
        expect(advert.interval, `seed ${seed}`).toBeGreaterThan(0);
        expect(advert.priority >= 0 && advert.priority <= 255, `seed ${seed}`).toBe(true);
      }
    }
  }
  reportExecutions('vrrp receive', executions);
  // Those that this traffic can't cause aside, every rung was reached.
  const reached = new Set(counts.keys());
  const unreachable = ['unknown-peer'];
  expect([...rejections, 'accepted' as const].filter((name) => !reached.has(name))).toEqual(unreachable);
  const sum = [...counts.values()].reduce((a, b) => a + b, 0);
  expect(sum).toBe(executions);
});

test('whatever is refused is at most told', () => {
  const instance = backup();
  const before = instance.state;
  for (const reason of rejections) {
    const event = { kind: 'rejected', reason, source: higher } as const;
    const { state, actions } = step(before, event, micros(1), instance.policy);
    expect({ ...state, refused: undefined }).toEqual(before);
    expect(actions.filter(({ kind }) => kind !== 'report')).toEqual([]);
  }
});

function noise(random: (below: number) => number): Uint8Array {
  return Uint8Array.from({ length: random(80) }, () => random(256));
}

function valid(ours4: ReturnType<typeof router>, random: (below: number) => number): Uint8Array {
  const addresses = ours4.addresses.map(({ address }) => address);
  if (random(10) === 0) addresses.pop();
  return encodeAdvert(
    {
      version: ours4.version,
      virtualRouterId: 51,
      priority: random(256),
      interval: ours4.advertInterval,
      addresses,
      authentication: random(10) === 0 ? { kind: 'simple', password: 'wrong' } : ours4.authentication,
    },
    { source: higher, destination: ip('224.0.0.18') },
    ours4.checksum,
  );
}

/** Bits flipped, bytes set, cut and grown; sometimes nothing. */
function mutate(message: Uint8Array, random: (below: number) => number): Uint8Array {
  let bytes = Uint8Array.from(message);
  for (let times = random(4); times > 0; times--) {
    const at = random(bytes.length + 1);
    const kind = random(4);
    if (kind === 0) bytes = bytes.slice(0, at);
    else if (kind === 1) bytes = Uint8Array.from([...bytes, ...noise(random)]);
    else if (at < bytes.length) bytes[at] = kind === 2 ? random(256) : (bytes[at] ?? 0) ^ (1 << random(8));
  }
  if (random(3) === 0 && bytes.length >= 8 && (bytes[0] ?? 0) >> 4 === 2) mendChecksum(bytes);
  return bytes;
}

/** Behind a right checksum lie the later rungs. */
function mendChecksum(bytes: Uint8Array): void {
  bytes.fill(0, 6, 8);
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  bytes[6] = (~sum >> 8) & 255;
  bytes[7] = ~sum & 255;
}
