// fast-check arbitraries of FailoverConfig: only what a text can say, and in the form that reading gives it, so that
// printing and reading it is the identity.
import fc from 'fast-check';
import {
  type FailoverConfig,
  type Fifo,
  type GroupConfig,
  type NotifyScripts,
  noFailover,
  noNotifyScripts,
  type Pacing,
  type RouterConfig,
  type ScriptCommand,
  type TrackFile,
} from '../../src/model/failover-config.js';
import type { Origin } from '../../src/model/origin.js';
import type { Account, SyncGroup, Track, TrackScript } from '../../src/model/virtual-router.js';
import { type Shared, shared, type Tracked, tracksOf, virtualRouter } from './arbitrary-router.js';
import {
  anyText,
  type FailoverOptions,
  fileWeight,
  maybe,
  plainWord,
  second,
  time,
} from './arbitrary-words.js';

const origin: Origin = { file: 'arbitrary', line: 1, column: 1 };

/** Names of one kind, each once. */
function namesOf(options: FailoverOptions, maxLength: number): fc.Arbitrary<string[]> {
  return fc.uniqueArray(anyText(options), { maxLength });
}

function account({ plain }: FailoverOptions): fc.Arbitrary<Account> {
  const name = plain ? fc.constant('root') : plainWord;
  return fc.record({ user: name, group: maybe(name) });
}

function words(options: FailoverOptions): fc.Arbitrary<string[]> {
  if (options.plain) return fc.array(plainWord, { maxLength: 2 }).map((more) => ['/bin/true', ...more]);
  const argument = fc.oneof(anyText(options), fc.constantFrom('', "it's", 'a "b" \\', 'a b', '$HOME'));
  return fc
    .tuple(anyText(options), fc.array(argument, { maxLength: 2 }))
    .map(([program, more]) => [program, ...more]);
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
    deleted: fc.oneof(script, fc.constant({ words: [], account: undefined })),
    masterRxLowerPriority: script,
    any: script,
    notifiesPriority: fc.boolean(),
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
      hasMemberWeights: fc.boolean(),
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

function pacing({ plain }: FailoverOptions): fc.Arbitrary<Pacing> {
  const pause = { arp: time(0, 1_000_000), na: time(0, 1_000_000) };
  const groups = plain ? [] : [['eth0', 'eth1'], ['eth 2']];
  return fc.subarray(groups).chain((chosen) => {
    const list = chosen.map((devices) => fc.record({ ...pause, devices: fc.constant(devices) }));
    return fc.record({ ...pause, groups: fc.tuple(...list) });
  });
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
    writesStatesOnReload: fc.boolean(),
    dumps: fc.record({
      data: path(noFailover.dumps.data),
      stats: path(noFailover.dumps.stats),
      json: path(noFailover.dumps.json),
    }),
    fifos: fifos(options),
    pacing: pacing(options),
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
      ).map((found) => onlyTracked(alike({ ...rest, ...lists, groups: found }))),
    );
}

/** A group begins as BACKUP when one of its members does, and tells priorities of all when it tells them at all. */
function alike(failover: FailoverConfig): FailoverConfig {
  const states = new Map(failover.routers.map(({ router }) => [router.name, router.startState]));
  const membersOf = (isMeant: (entry: GroupConfig) => boolean) =>
    new Set(failover.groups.filter(isMeant).flatMap(({ group }) => group.members));
  const backups = membersOf(({ group }) => group.members.some((name) => states.get(name) === 'backup'));
  const tellers = membersOf(({ notify: { notifiesPriority } }) => notifiesPriority);
  const routers = failover.routers.map(
    (entry): RouterConfig => ({
      ...entry,
      router: backups.has(entry.router.name) ? { ...entry.router, startState: 'backup' } : entry.router,
      notify: tellers.has(entry.router.name) ? { ...entry.notify, notifiesPriority: true } : entry.notify,
    }),
  );
  return { ...failover, routers };
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
