// What a seed means: how many directors, with which virtual routers, priorities, clocks and settings. Mixed on purpose:
// v2 and v3, IPv4 and IPv6, multicast and unicast, sync groups, nopreempt, delays, both checksum conventions.
import { type Family, type IpAddress, parseIp } from '../../src/model/address.js';
import { type Micros, micros, seconds } from '../../src/model/units.js';
import {
  type Delivery,
  defaultReleaseBudget,
  type SyncGroup,
  type Track,
  type VirtualRouter,
  type VrrpVersion,
} from '../../src/model/virtual-router.js';
import { router, vip } from '../unit/vrrp/fixtures.js';
import type { LocalClock } from './clock.js';
import type { Random } from './prng.js';

export type DirectorSetup = {
  readonly index: number;
  readonly clock: LocalClock;
  /** By the name of the virtual router. */
  readonly routers: ReadonlyMap<string, VirtualRouter>;
};

export type Scenario = {
  readonly directors: readonly DirectorSetup[];
  /** Virtual routers that move together; one alone is a group, too. */
  readonly groups: readonly SyncGroup[];
  /** On which link each virtual router is. */
  readonly linkOf: ReadonlyMap<string, number>;
  /** Longest and shortest advert interval of all. */
  readonly longest: number;
  readonly shortest: number;
  /** Everybody preempts, so the best priority must win. */
  readonly isPreemptive: boolean;
  /** Every master that gives way says so once more, so a healed split is seen by its winner. */
  readonly isHealSeen: boolean;
};

const sources4 = [1, 2, 3, 4, 5].map((i) => parseIp(`10.0.0.${i}`) as IpAddress);
const sources6 = [1, 2, 3, 4, 5].map((i) => parseIp(`fe80::${i}`) as IpAddress);

/** What all directors agree on for one virtual router. */
type Shared = Pick<
  VirtualRouter,
  'name' | 'version' | 'family' | 'virtualRouterId' | 'advertInterval' | 'authentication' | 'downTimerAdverts'
> & { readonly isUnicast: boolean };

export function createScenario(random: Random): Scenario {
  const count = 2 + random.below(4);
  const isFast = random.chance(0.4);
  const unit = isFast ? random.pick([0.01, 0.05, 0.1]) : 1;
  const shared = Array.from({ length: 1 + random.below(3) }, (_, i) => createShared(random, i, isFast, unit));
  const isGrouped = shared.length > 1 && random.chance(0.5);
  const names = shared.map(({ name }) => name);
  const hasOwnLinks = isGrouped && random.chance(0.7);
  const linkOf = new Map(names.map((name, i) => [name, hasOwnLinks ? i : 0]));
  // Better on one machine for one member, on another for the next.
  const isMixed = isGrouped && random.chance(0.4);
  const common = createPriorities(random, count);
  const priorities = shared.map((_, i) => (isMixed && i > 0 ? random.shuffle([...common]) : common));
  const hasCrossTracks = hasOwnLinks && random.chance(0.4);
  const settings = createSettings(random, unit);
  const isStretched = random.chance(0.3);
  const isPreemptive = random.chance(0.7);
  const directors = Array.from({ length: count }, (_, index): DirectorSetup => {
    const stretch = isStretched ? random.pick([1, 2, 3]) : 1;
    const preempt = isPreemptive || random.chance(0.5);
    const routers = shared.map((one, i) => {
      const priority = priorities[i]?.[index] ?? 100;
      const advertInterval = one.version === 3 ? micros(one.advertInterval * stretch) : one.advertInterval;
      return router({
        ...settings,
        ...one,
        advertInterval,
        preempt,
        priority,
        tracks: tracksOf(one.name, linkOf, hasCrossTracks),
        startState: priority === 255 ? 'master' : 'backup',
        addresses: one.family === 6 ? [vip('fe80::64/64'), vip('fd00::64/64')] : [vip('10.0.0.100/24')],
        delivery: deliveryOf(one, index, count),
        checksum: random.pick(['pseudo-header', 'message']),
        releaseBudget: defaultReleaseBudget(advertInterval),
        advertLease: micros(Math.max(4 * unit * 1_000_000, 2 * advertInterval)),
      });
    });
    const clock = { offset: random.below(1e9), rate: 1 + random.between(-200, 200) / 1e6 };
    return { index, clock, routers: new Map(routers.map((one) => [one.name, one])) };
  });
  const intervals = directors.flatMap(({ routers }) =>
    [...routers.values()].map((one) => one.advertInterval),
  );
  return {
    directors,
    groups: createGroups(random, names, isGrouped),
    linkOf,
    longest: Math.max(...intervals),
    shortest: Math.min(...intervals),
    isPreemptive,
    isHealSeen: settings.answersHigherPriority,
  };
}

/** The device that a link is on each machine. */
export function deviceOf(link: number): string {
  return `eth${link}`;
}

/** Its own device and a script that is a fault, a script with a weight, and perhaps the other members' devices. */
function tracksOf(name: string, linkOf: ReadonlyMap<string, number>, hasCrossTracks: boolean): Track[] {
  const own = linkOf.get(name) ?? 0;
  const others = hasCrossTracks ? [...new Set(linkOf.values())].filter((link) => link !== own) : [];
  const track = (kind: Track['kind'], what: string, weight: number): Track => {
    return { kind, name: what, weight, isReversed: false };
  };
  return [
    track('interface', deviceOf(own), 0),
    ...others.map((link) => track('interface', deviceOf(link), -20)),
    track('script', `${name} fatal`, 0),
    track('script', `${name} light`, -40),
  ];
}

function createGroups(random: Random, names: readonly string[], isGrouped: boolean): SyncGroup[] {
  const tracks: Track[] = [{ kind: 'script', name: 'of the group', weight: -60, isReversed: false }];
  if (isGrouped) return [{ name: 'G', members: names, tracks, hasMemberWeights: random.chance(0.3) }];
  // Alone, a virtual router's own weights count.
  return names.map((name) => ({ name, members: [name], tracks, hasMemberWeights: true }));
}

/** Adverts of director `index` come from here. */
export function sourceOf(index: number, family: Family): IpAddress {
  return (family === 6 ? sources6 : sources4)[index] as IpAddress;
}

function createShared(random: Random, i: number, isFast: boolean, unit: number): Shared {
  const version = isFast ? 3 : random.pick<VrrpVersion>([2, 3]);
  const family = version === 3 ? random.pick<Family>([4, 6]) : 4;
  const factor = isFast ? 1 : version === 2 ? random.pick([1, 2]) : random.pick([0.5, 1, 2]);
  const hasPassword = version === 2 && random.chance(0.5);
  return {
    name: `VI_${i + 1}`,
    version,
    family,
    virtualRouterId: 51 + i,
    advertInterval: seconds(unit * factor),
    authentication: hasPassword ? { kind: 'simple', password: 'secret' } : { kind: 'none' },
    downTimerAdverts: random.pick([3, 3, 3, 2, 5]),
    isUnicast: random.chance(0.3),
  };
}

/** Far enough apart to tell skews apart; sometimes two are equal, sometimes one is the owner. */
function createPriorities(random: Random, count: number): number[] {
  const result = random.shuffle(Array.from({ length: count }, (_, i) => 30 + i * 45 + random.below(30)));
  if (random.chance(0.15)) result[0] = result[1] ?? 100;
  if (random.chance(0.1)) result[0] = 255;
  return result;
}

function createSettings(random: Random, unit: number) {
  const within = (from: number, to: number): Micros => seconds(unit * random.between(from, to));
  return {
    preemptDelay: random.chance(0.3) ? within(1, 5) : micros(0),
    startupDelay: random.chance(0.2) ? within(0.1, 2) : micros(0),
    answersLowerPriority: random.chance(0.9),
    answersHigherPriority: random.chance(0.85),
    skipsKnownAddressCheck: random.chance(0.3),
    announce: {
      repeat: 5,
      delay: within(2, 5),
      refresh: random.chance(0.5) ? within(4, 8) : micros(0),
      isRefreshWritten: random.chance(0.3),
      refreshRepeat: 2,
      lowerPriorityRepeat: 5,
      lowerPriorityDelay: within(2, 5),
      extra: micros(0),
      extraDevices: 'virtual-mac' as const,
    },
  };
}

function deliveryOf({ isUnicast, family }: Shared, index: number, count: number): Delivery {
  if (!isUnicast)
    return { kind: 'multicast', group: parseIp(family === 6 ? 'ff02::12' : '224.0.0.18') as IpAddress };
  const others = Array.from({ length: count }, (_, i) => i).filter((i) => i !== index);
  const peers = others.map((i) => ({ address: sourceOf(i, family), minTtl: 255, maxTtl: 255 }));
  return { kind: 'unicast', peers, checksSource: true, ttl: 255 };
}
