// fast-check arbitraries of FailoverConfig: only what a text can say, and in the form that reading gives it (devices that
// follow from addresses are tracked first, an owner preempts, strict_mode has been applied).
import fc from 'fast-check';
import { formatIp, type IpAddress, ipBytes, type Prefix } from '../../src/model/address.js';
import type { Origin } from '../../src/model/director-config.js';
import {
  type FailoverConfig,
  type Fifo,
  type GroupConfig,
  type NotifyScripts,
  noFailover,
  noNotifyScripts,
  type RouterConfig,
  type ScriptCommand,
  type TrackFile,
} from '../../src/model/failover-config.js';
import { type Micros, micros } from '../../src/model/units.js';
import {
  type Account,
  type AnnouncePolicy,
  asStrict,
  type Delivery,
  defaultAdvertLease,
  defaultReleaseBudget,
  type SyncGroup,
  type Track,
  type TrackScript,
  type VirtualAddress,
  type VirtualRoute,
  type VirtualRouter,
} from '../../src/model/virtual-router.js';

/** `plain`: only what keepalived 2.2.7 takes without a remark where the devices e0 and e1 are. */
export type FailoverOptions = { readonly plain?: boolean };

type Family = 4 | 6;

const origin: Origin = { file: 'arbitrary', line: 1, column: 1 };
const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(formatIp);
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatIp);
const addressOf = (family: Family): fc.Arbitrary<IpAddress> => (family === 4 ? ipv4 : ipv6);
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });
const plainWord = fc.stringMatching(/^[a-z][a-z0-9_-]{0,11}$/);
const time = (min: number, max: number, step = 1): fc.Arbitrary<Micros> =>
  fc
    .integer({ min: Math.ceil(min / step), max: Math.floor(max / step) })
    .map((count) => micros(count * step));
const second = 1_000_000;

function anyText({ plain }: FailoverOptions): fc.Arbitrary<string> {
  return plain
    ? plainWord
    : fc.oneof(plainWord, fc.string({ minLength: 1, maxLength: 10, unit: 'grapheme' }));
}

/** Names of one kind, each once. */
function namesOf(options: FailoverOptions, maxLength: number): fc.Arbitrary<string[]> {
  return fc.uniqueArray(anyText(options), { maxLength });
}

const device = ({ plain }: FailoverOptions) => (plain ? fc.constantFrom('e0', 'e1') : plainWord);

function account({ plain }: FailoverOptions): fc.Arbitrary<Account> {
  const name = plain ? fc.constant('root') : plainWord;
  return fc.record({ user: name, group: maybe(name) });
}

function words(options: FailoverOptions): fc.Arbitrary<string[]> {
  if (options.plain) return fc.array(plainWord, { maxLength: 2 }).map((more) => ['/bin/true', ...more]);
  const argument = fc.oneof(anyText(options), fc.constantFrom('', "it's", 'a "b" \\', 'a b', '$HOME'));
  return fc.array(argument, { minLength: 1, maxLength: 3 });
}

const command = (options: FailoverOptions): fc.Arbitrary<ScriptCommand> =>
  fc.record({ words: words(options), account: maybe(account(options)) });

function notify(options: FailoverOptions): fc.Arbitrary<NotifyScripts> {
  const script = maybe(command(options));
  return fc.record({
    master: script,
    backup: script,
    fault: script,
    stop: script,
    deleted: script,
    masterRxLowerPriority: script,
    any: script,
    tellsPriority: fc.boolean(),
  });
}

function trackScript(name: string, options: FailoverOptions): fc.Arbitrary<TrackScript> {
  const step = options.plain ? second : 1;
  return fc.record({
    name: fc.constant(name),
    command: words(options),
    interval: time(1, 100 * second, step),
    timeout: time(1, 100 * second, step),
    rise: fc.integer({ min: 1, max: 100 }),
    fall: fc.integer({ min: 1, max: 100 }),
    failsAtStart: fc.boolean(),
    account: maybe(account(options)),
  });
}

const fileWeight = ({ plain }: FailoverOptions) =>
  fc.integer(plain ? { min: -254, max: 254 } : { min: -2_147_483_647, max: 2_147_483_647 });

function trackFile(name: string, options: FailoverOptions): fc.Arbitrary<TrackFile> {
  // keepalived looks whether the directory is there.
  const path = options.plain ? plainWord.map((word) => `/tmp/uvs-${word}`) : anyText(options);
  return fc
    .record({
      name: fc.constant(name),
      path,
      weight: fileWeight(options),
      isReversed: fc.boolean(),
      initial: options.plain ? fc.constant(undefined) : maybe(fc.integer({ min: -1_000, max: 1_000 })),
      overwrites: fc.boolean(),
    })
    .map((file) => ({ ...file, overwrites: file.overwrites && file.initial !== undefined }));
}

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
    })
    .map(({ hasDevice, ...route }) => ({
      ...route,
      device: hasDevice || route.gateway === undefined ? route.device : undefined,
    }));
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
      minTtl: Math.min(one, two),
      maxTtl: Math.max(one, two),
    }));
  return fc.oneof(
    fc.record({
      kind: fc.constant<'multicast'>('multicast'),
      group: (plain ? fc.constant(group) : fc.oneof(fc.constant(group), other)) as fc.Arbitrary<IpAddress>,
    }),
    fc.record({
      kind: fc.constant<'unicast'>('unicast'),
      peers: fc.uniqueArray(peer, { minLength: 1, maxLength: 3, selector: ({ address }) => address }),
      checksSource: fc.boolean(),
      ttl: plain ? fc.integer({ min: 1, max: 255 }) : ttl,
    }),
  );
}

/** What all virtual routers of a file share. */
type Shared = { readonly startupDelay: Micros; readonly pause4: Micros; readonly pause6: Micros };

const shared: fc.Arbitrary<Shared> = fc.record({
  // keepalived wants a millisecond at least.
  startupDelay: time(0, 10 * second, 1_000),
  pause4: time(0, second),
  pause6: time(0, second),
});

function announce(interval: Micros, { plain }: FailoverOptions): fc.Arbitrary<AnnouncePolicy> {
  const step = plain ? second : 1;
  const count = fc.integer({ min: 1, max: 10 });
  return fc.record({
    repeat: count,
    delay: time(0, 100 * second, step),
    refresh: time(0, 100 * second, step),
    refreshRepeat: count,
    lowerPriorityRepeat: count,
    lowerPriorityDelay: time(0, 100 * second, step),
    interval: fc.constant(interval),
  });
}

/** Names of what can be tracked beside devices. */
type Tracked = { readonly scripts: readonly string[]; readonly files: readonly string[] };

function tracksOf({ scripts, files }: Tracked, options: FailoverOptions): fc.Arbitrary<Track[]> {
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

function virtualRouter(
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
      const pause = family === 4 ? around.pause4 : around.pause6;
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
          announce: announce(pause, options),
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

const routerKey = ({ router: { family, virtualRouterId, device } }: RouterConfig) =>
  `${family} ${virtualRouterId} ${device}`;

function routers(
  names: readonly string[],
  around: Shared,
  tracked: Tracked,
  options: FailoverOptions,
): fc.Arbitrary<RouterConfig[]> {
  const list = names.map((name) =>
    fc.record({
      router: virtualRouter(name, around, tracked, options),
      notify: notify(options),
      origin: fc.constant(origin),
    }),
  );
  return fc.tuple(...list).map((found) => {
    const unique = [...new Map(found.map((entry) => [routerKey(entry), entry])).values()];
    return unique.map((entry, i) => withMacName(entry, i));
  });
}

/** Devices of their own have names of their own. */
function withMacName(entry: RouterConfig, index: number): RouterConfig {
  if (entry.router.virtualMacDevice === undefined) return entry;
  return { ...entry, router: { ...entry.router, virtualMacDevice: `uvs.${index}` } };
}

function groups(
  members: readonly string[],
  names: readonly string[],
  tracked: Tracked,
  options: FailoverOptions,
): fc.Arbitrary<GroupConfig[]> {
  const chosen = names.slice(0, Math.floor(members.length / 2));
  const group = (name: string, i: number): fc.Arbitrary<SyncGroup> =>
    fc.record({
      name: fc.constant(name),
      members: fc.constant(members.slice(i * 2, i * 2 + 2)),
      tracks: tracksOf(tracked, options),
    });
  const scripts = notify(options).map((found) => ({
    ...found,
    deleted: noNotifyScripts.deleted,
    masterRxLowerPriority: noNotifyScripts.masterRxLowerPriority,
  }));
  return fc.tuple(
    ...chosen.map((name, i) =>
      fc.record({ group: group(name, i), notify: scripts, origin: fc.constant(origin) }),
    ),
  );
}

function fifos(options: FailoverOptions): fc.Arbitrary<Fifo[]> {
  const fifo = (hears: Fifo['hears']) =>
    fc.record({
      hears: fc.constant(hears),
      path: options.plain ? fc.constant(`/tmp/uvs-fifo-${hears}`) : anyText(options),
      account: maybe(account(options)),
      script: maybe(command(options)),
    });
  return fc
    .subarray<Fifo['hears']>(['all', 'vrrp', 'lvs'])
    .chain((chosen) => fc.tuple(...chosen.map((hears) => fifo(hears))));
}

export function arbitraryFailover(options: FailoverOptions = {}): fc.Arbitrary<FailoverConfig> {
  const path = (usual: string) =>
    options.plain ? fc.constant(usual) : fc.oneof(fc.constant(usual), plainWord);
  const names = fc.record({
    shared,
    routers: namesOf(options, 4),
    groups: namesOf(options, 2),
    scripts: namesOf(options, 3),
    files: namesOf(options, 2),
  });
  const policy = fc.record({
    scriptPolicy: fc.record({
      account: options.plain ? fc.constant({ user: 'root', group: undefined }) : maybe(account(options)),
      isSecure: options.plain ? fc.constant(false) : fc.boolean(),
    }),
    tellsStatesOnReload: fc.boolean(),
    dumps: fc.record({
      data: path(noFailover.dumps.data),
      stats: path(noFailover.dumps.stats),
      json: path(noFailover.dumps.json),
    }),
    fifos: fifos(options),
  });
  return names
    .chain((chosen) => {
      const { scripts, files } = chosen;
      return fc.record({
        routers: routers(chosen.routers, chosen.shared, { scripts, files }, options),
        groupNames: fc.constant(chosen.groups),
        tracked: fc.constant({ scripts, files }),
        scripts: fc.tuple(...scripts.map((name) => trackScript(name, options))),
        files: fc.tuple(...files.map((name) => trackFile(name, options))),
        policy,
      });
    })
    .chain(({ groupNames, tracked, policy: rest, ...lists }) =>
      groups(
        lists.routers.map(({ router }) => router.name),
        groupNames,
        tracked,
        options,
      ).map((found) => onlyTracked({ ...rest, ...lists, groups: found })),
    );
}

/** What nobody tracks is left out when it is read. */
function onlyTracked(failover: FailoverConfig): FailoverConfig {
  const tracks = [
    ...failover.routers.flatMap(({ router }) => router.tracks),
    ...failover.groups.flatMap(({ group }) => group.tracks),
  ];
  const isTracked = (kind: Track['kind'], name: string) =>
    tracks.some((track) => track.kind === kind && track.name === name);
  return {
    ...failover,
    scripts: failover.scripts.filter(({ name }) => isTracked('script', name)),
    files: failover.files.filter(({ name }) => isTracked('file', name)),
  };
}
