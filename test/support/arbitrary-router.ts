// fast-check arbitraries of virtual routers, in the form that reading a text gives them: devices that follow from addresses
// are tracked first, an owner preempts, strict_mode has been applied.
import fc from 'fast-check';
import { formatIp, type IpAddress, ipBytes, type Prefix } from '../../src/model/address.js';
import { type Micros, micros } from '../../src/model/units.js';
import {
  type AnnouncePolicy,
  asStrict,
  type Delivery,
  defaultAdvertLease,
  defaultAnnouncePolicy,
  defaultReleaseBudget,
  routeKinds,
  scopes,
  type Track,
  type UnicastPeer,
  type VirtualAddress,
  type VirtualRoute,
  type VirtualRouter,
} from '../../src/model/virtual-router.js';
import {
  addressOf,
  anyText,
  device,
  type FailoverOptions,
  type Family,
  fileWeight,
  ipv4,
  ipv6,
  maybe,
  plainWord,
  second,
  time,
} from './arbitrary-words.js';

function virtualAddress(family: Family, options: FailoverOptions): fc.Arbitrary<VirtualAddress> {
  const isFour = family === 4;
  return fc.record({
    address: addressOf(family),
    length: fc.integer({ min: 0, max: isFour ? 32 : 128 }),
    device: maybe(device(options)),
    label: isFour ? maybe(plainWord.map((word) => `e:${word}`)) : fc.constant(undefined),
    scope: isFour
      ? fc.constantFrom<VirtualAddress['scope']>('global', 'link', 'host', 'site')
      : fc.constant<VirtualAddress['scope']>('global'),
    broadcast: isFour ? maybe(ipv4) : fc.constant(undefined),
  });
}

function network(family: Family): fc.Arbitrary<Prefix> {
  return fc
    .record({ address: addressOf(family), length: fc.integer({ min: 0, max: family === 4 ? 32 : 128 }) })
    .map(({ address, length }) => ({
      address: formatIp(
        ipBytes(address).map((byte, i) => byte & ~(0xff >> Math.min(8, Math.max(0, length - i * 8)))),
      ),
      length,
    }));
}

function virtualRoute(family: Family, options: FailoverOptions): fc.Arbitrary<VirtualRoute> {
  return fc
    .record({
      destination: network(family),
      gateway: maybe(addressOf(family)),
      device: device(options),
      hasDevice: fc.boolean(),
      source: maybe(addressOf(family)),
      metric: maybe(fc.integer({ min: 0, max: 4_294_967_295 })),
      table: maybe(fc.integer({ min: 1, max: 4_294_967_295 })),
      kind: options.plain ? fc.constant('unicast' as const) : fc.constantFrom(...routeKinds),
      scope: options.plain ? fc.constant(undefined) : maybe(fc.constantFrom(...scopes)),
      isOnLink: options.plain ? fc.constant(false) : fc.boolean(),
    })
    .map(({ hasDevice, ...route }) => ({
      ...route,
      device: hasDevice || route.gateway === undefined ? route.device : undefined,
    }));
}

function hasLimits({ minTtl, maxTtl }: UnicastPeer): boolean {
  return minTtl > 0 || maxTtl < 255;
}

function delivery(family: Family, { plain }: FailoverOptions): fc.Arbitrary<Delivery> {
  const group = family === 4 ? '224.0.0.18' : 'ff02::12';
  const other =
    family === 4
      ? ipv4.map((ip) => ip.replace(/^\d+/, '239'))
      : ipv6.map((ip) => formatIp(ipBytes(ip).with(0, 255)));
  const ttl = fc.integer({ min: 0, max: 255 });
  const peer = fc
    .record({ address: addressOf(family), ttls: fc.tuple(ttl, ttl) })
    .map(({ address, ttls: [one, two] }) => ({
      address,
      minTtl: one % 3 === 0 ? 0 : Math.min(one, two),
      maxTtl: one % 3 === 0 ? 255 : Math.max(one, two),
    }));
  return fc.oneof(
    fc.record({
      kind: fc.constant<'multicast'>('multicast'),
      group: (plain ? fc.constant(group) : fc.oneof(fc.constant(group), other)) as fc.Arbitrary<IpAddress>,
    }),
    fc
      .record({
        kind: fc.constant<'unicast'>('unicast'),
        peers: fc.uniqueArray(peer, { minLength: 1, maxLength: 3, selector: ({ address }) => address }),
        checksSource: fc.boolean(),
        ttl: plain ? fc.integer({ min: 1, max: 255 }) : ttl,
      })
      .map((unicast) => ({
        ...unicast,
        checksSource: unicast.checksSource || unicast.peers.some(hasLimits),
      })),
  );
}

/** What all virtual routers of a file share. */
export type Shared = { readonly startupDelay: Micros };

export const shared: fc.Arbitrary<Shared> = fc.record({
  // keepalived wants a millisecond at least.
  startupDelay: time(0, 10 * second, 1_000),
});

function announce({ plain }: FailoverOptions): fc.Arbitrary<AnnouncePolicy> {
  const step = plain ? second : 1;
  const count = fc.integer({ min: 1, max: 10 });
  const extra = fc.record({
    extra: time(second, 86_400 * second, second),
    extraDevices: fc.constantFrom('virtual-mac' as const, 'all' as const),
  });
  const noExtra = { extra: micros(0), extraDevices: 'virtual-mac' as const };
  const common = fc.record({
    repeat: count,
    delay: time(0, 100 * second, step),
    isRefreshWritten: fc.boolean(),
    refresh: time(0, 100 * second, step),
    refreshRepeat: count,
    lowerPriorityRepeat: count,
    lowerPriorityDelay: time(0, 100 * second, step),
  });
  return fc.tuple(common, fc.oneof(fc.constant(noExtra), extra)).map(([usual, more]) => ({
    ...usual,
    refresh: usual.isRefreshWritten ? usual.refresh : defaultAnnouncePolicy.refresh,
    ...more,
  }));
}

/** Names of what can be tracked beside devices. */
export type Tracked = { readonly scripts: readonly string[]; readonly files: readonly string[] };

export function tracksOf({ scripts, files }: Tracked, options: FailoverOptions): fc.Arbitrary<Track[]> {
  const list = (kind: Track['kind'], names: readonly string[], weight: fc.Arbitrary<number>) =>
    fc
      .subarray([...names])
      .chain((chosen) =>
        fc.tuple(
          ...chosen.map((name) =>
            fc.record({ kind: fc.constant(kind), name: fc.constant(name), weight, isReversed: fc.boolean() }),
          ),
        ),
      );
  // In a group, keepalived has words for a weight.
  const weight = options.plain ? fc.constant(0) : fc.integer({ min: -253, max: 253 });
  const ofFile = options.plain ? fc.constant(0) : fileWeight(options);
  return fc
    .tuple(list('script', scripts, weight), list('file', files, ofFile))
    .map(([one, two]) => [...one, ...two]);
}

/** How a device is tracked: as it comes, not at all, or as the file says. */
type DeviceTrack = 'implied' | 'untracked' | { readonly weight: number; readonly isReversed: boolean };

function deviceTracks(names: readonly string[], { plain }: FailoverOptions): fc.Arbitrary<Track[]> {
  const explicit = fc.record({
    weight: fc.integer({ min: -253, max: 253 }),
    isReversed: fc.boolean(),
  });
  const how: fc.Arbitrary<DeviceTrack> = plain
    ? fc.constantFrom<DeviceTrack>('implied', 'untracked')
    : fc.oneof(fc.constantFrom<DeviceTrack>('implied', 'untracked'), explicit);
  return fc.tuple(...names.map(() => how)).map((choices) => {
    const tracks = names.flatMap((name, i): Track[] => {
      const choice = choices[i];
      if (choice === 'untracked' || choice === undefined) return [];
      const options = choice === 'implied' ? { weight: 0, isReversed: false } : choice;
      return [{ kind: 'interface', name, ...options }];
    });
    const isImplied = ({ weight, isReversed }: Track) => weight === 0 && !isReversed;
    return [...tracks.filter(isImplied), ...tracks.filter((track) => !isImplied(track))];
  });
}

export function virtualRouter(
  name: string,
  around: Shared,
  tracked: Tracked,
  options: FailoverOptions,
): fc.Arbitrary<VirtualRouter> {
  const basis = fc.record({
    family: fc.constantFrom<Family>(4, 6),
    version: fc.constantFrom<2 | 3>(2, 3),
    device: device(options),
    startState: fc.constantFrom<'master' | 'backup'>('master', 'backup'),
    // keepalived has a word for owners beside others in a group.
    priority: fc.oneof(fc.constant(options.plain ? 254 : 255), fc.integer({ min: 1, max: 254 })),
  });
  return basis
    .chain((chosen) => {
      const { family } = chosen;
      const version = family === 6 ? 3 : chosen.version;
      const address = virtualAddress(family, options);
      const anyAddress = fc.oneof(virtualAddress(4, options), virtualAddress(6, options));
      const password = anyText(options).filter((text) => new TextEncoder().encode(text).length <= 8);
      const lists = {
        addresses: fc.uniqueArray(address, { minLength: 1, maxLength: 3, selector: (a) => a.address }),
        excludedAddresses: fc.uniqueArray(anyAddress, { maxLength: 2, selector: (a) => a.address }),
        routes: fc.array(virtualRoute(family, options), { maxLength: 2 }),
      };
      const mac = `00:00:5e:00:0${family === 4 ? 1 : 2}:`;
      return fc
        .record({
          ...Object.fromEntries(Object.entries(chosen).map(([key, value]) => [key, fc.constant(value)])),
          name: fc.constant(name),
          version: fc.constant(version),
          virtualRouterId: fc.integer({ min: 1, max: 255 }),
          advertInterval:
            version === 2 ? time(second, 255 * second, second) : time(10_000, 40_950_000, 10_000),
          downTimerAdverts: fc.integer({ min: 1, max: 100 }),
          preempt: fc.boolean(),
          preemptDelay: time(0, 1_000 * second),
          startupDelay: fc.constant(around.startupDelay),
          acceptsTraffic: fc.boolean(),
          isStrict: options.plain ? fc.constant(false) : fc.boolean(),
          answersLowerPriority: fc.boolean(),
          answersHigherPriority: fc.boolean(),
          // These two are newer than keepalived 2.2.7.
          ownerIgnoresAdverts: options.plain ? fc.constant(false) : fc.boolean(),
          skipsKnownAddressCheck: fc.boolean(),
          authentication:
            version === 3
              ? fc.constant({ kind: 'none' as const })
              : fc.oneof(
                  fc.constant({ kind: 'none' as const }),
                  fc.record({ kind: fc.constant('simple' as const), password }),
                ),
          checksum: options.plain
            ? fc.constant('pseudo-header')
            : fc.constantFrom<VirtualRouter['checksum']>('pseudo-header', 'message'),
          delivery: delivery(family, options),
          source: options.plain ? fc.constant(undefined) : maybe(addressOf(family)),
          ...lists,
          virtualMacDevice: options.plain ? fc.constant(undefined) : maybe(fc.constant(`v${name.length}`)),
          virtualMac: fc.integer({ min: 16, max: 255 }).map((vrid) => mac + vrid.toString(16)),
          announce: announce(options),
        })
        .map((fields) => fields as unknown as Omit<VirtualRouter, 'tracks'>);
    })
    .chain((router) => {
      const lines = [...router.addresses, ...router.excludedAddresses, ...router.routes];
      const names = [...new Set([router.device, ...lines.flatMap((line) => line.device ?? [])])];
      return fc
        .tuple(deviceTracks(names, options), tracksOf(tracked, options))
        .map(([devices, others]) => consistent({ ...router, tracks: [...devices, ...others] }));
    });
}

/** What the language makes of contradictions. */
function consistent(router: VirtualRouter): VirtualRouter {
  const isOwner = router.priority === 255;
  const isMaster = router.startState === 'master' && !(router.isStrict && !isOwner);
  const preempt = router.preempt || isOwner || isMaster;
  const own = new Set(router.addresses.map(({ address }) => address));
  const fixed: VirtualRouter = {
    ...router,
    startState: isMaster ? 'master' : 'backup',
    preempt,
    preemptDelay: isMaster || !preempt || router.isStrict ? micros(0) : router.preemptDelay,
    authentication: router.isStrict ? { kind: 'none' } : router.authentication,
    excludedAddresses: router.excludedAddresses.filter(({ address }) => !own.has(address)),
    virtualMac: router.virtualMacDevice === undefined ? undefined : router.virtualMac,
    advertLease: defaultAdvertLease(router.advertInterval),
    releaseBudget: defaultReleaseBudget(router.advertInterval),
  };
  if (!router.isStrict) return fixed;
  const accepts = isOwner || (router.version === 3 && router.acceptsTraffic);
  return { ...asStrict(fixed), acceptsTraffic: accepts };
}
