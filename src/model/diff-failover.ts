// The half of diff.ts that is about failover: virtual routers, sync groups, scripts, files and FIFOs by their names, and
// the policy that all of them share.

import { type Comparison, compare, fieldsText, isSame, orderAfter, ordered, without } from './diff-lists.js';
import type { FailoverConfig, NotifyScripts, Pause, RouterConfig, ScriptCommand } from './failover-config.js';
import type { Micros } from './units.js';
import type {
  Account,
  AnnouncePolicy,
  Delivery,
  Track,
  VirtualAddress,
  VirtualRoute,
  VirtualRouter,
} from './virtual-router.js';

type FailoverList = 'routers' | 'groups' | 'scripts' | 'files' | 'fifos';
type Item<List extends FailoverList> = FailoverConfig[List][number];

/** What is no list. */
export type FailoverPolicy = Pick<
  FailoverConfig,
  'pacing' | 'scriptPolicy' | 'writesStatesOnReload' | 'dumps'
>;

type ListChange<List extends FailoverList> =
  /** At the end of the list until a reordering says otherwise. */
  | { readonly kind: 'failover-added'; readonly list: List; readonly item: Item<List> }
  | { readonly kind: 'failover-removed'; readonly list: List; readonly key: string }
  | {
      readonly kind: 'failover-changed';
      readonly list: List;
      readonly before: Item<List>;
      readonly after: Item<List>;
    }
  | { readonly kind: 'failover-reordered'; readonly list: List; readonly order: readonly string[] };

/** What only virtual routers do, since peers know them by something else than their names. */
type RouterIdentityChange =
  /** Peers see no difference. At the end of the list until a reordering says otherwise. */
  | {
      readonly kind: 'failover-renamed';
      readonly list: 'routers';
      readonly before: RouterConfig;
      readonly after: RouterConfig;
    }
  /** For its peers it is another virtual router: the old one gives up while the new one starts. */
  | {
      readonly kind: 'failover-replaced';
      readonly list: 'routers';
      readonly before: RouterConfig;
      readonly after: RouterConfig;
    };

/** What happens to one virtual router; failover carries it out. */
export type RouterChange =
  | RouterIdentityChange
  | Exclude<ListChange<'routers'>, { kind: 'failover-reordered' }>;

export type FailoverChange =
  | { [List in FailoverList]: ListChange<List> }[FailoverList]
  | RouterIdentityChange
  | {
      readonly kind: 'failover-policy-changed';
      readonly before: FailoverPolicy;
      readonly after: FailoverPolicy;
    };

export function isFailoverChange(change: { readonly kind: string }): change is FailoverChange {
  return change.kind.startsWith('failover-');
}

export function isRouterChange(change: { readonly kind: string }): change is RouterChange {
  if (!isFailoverChange(change) || change.kind === 'failover-policy-changed') return false;
  return change.list === 'routers' && change.kind !== 'failover-reordered';
}

const itemsPerStep = 32;

/** Yields between some dozens of virtual routers. */
export function* diffFailover(
  before: FailoverConfig,
  after: FailoverConfig,
): Generator<void, FailoverChange[]> {
  const changes: FailoverChange[] = [];
  const [old, next] = [policyOf(before), policyOf(after)];
  if (!isSame(old, next)) changes.push({ kind: 'failover-policy-changed', before: old, after: next });
  for (const list of ['scripts', 'files', 'routers', 'groups', 'fifos'] as const) {
    changes.push(...(yield* diffList(list, before, after)));
  }
  return changes;
}

function* diffList<List extends FailoverList>(
  list: List,
  before: FailoverConfig,
  after: FailoverConfig,
): Generator<void, FailoverChange[]> {
  const changes: (ListChange<List> | RouterIdentityChange)[] = [];
  const lists = compare<Item<List>>(before[list], after[list], keyOf);
  const renamed = renamedOf(lists);
  const former = new Set<Item<FailoverList>>(renamed.values());
  for (const item of lists.removed)
    if (!former.has(item)) changes.push({ kind: 'failover-removed', list, key: keyOf(item) });
  for (const item of lists.added) changes.push(addedOrRenamed(list, item, renamed));
  for (const [i, [was, is]] of lists.kept.entries()) {
    if (!isSame(was, is)) changes.push(changedOrReplaced(list, was, is));
    if (i % itemsPerStep === itemsPerStep - 1) yield;
  }
  const order = orderAfter(lists);
  if (order !== undefined) changes.push({ kind: 'failover-reordered', list, order });
  return changes as FailoverChange[];
}

/** Virtual routers whose names are new, and what they were before. */
function renamedOf({
  removed,
  added,
}: Comparison<Item<FailoverList>>): ReadonlyMap<Item<FailoverList>, RouterConfig> {
  const nameless = new Map(removed.flatMap((item) => (isRouter(item) ? [[identityText(item), item]] : [])));
  const renamed = new Map<Item<FailoverList>, RouterConfig>();
  for (const item of added) {
    const identity = isRouter(item) ? identityText(item) : undefined;
    const before = identity === undefined ? undefined : nameless.get(identity);
    if (identity === undefined || before === undefined) continue;
    nameless.delete(identity);
    renamed.set(item, before);
  }
  return renamed;
}

function addedOrRenamed<List extends FailoverList>(
  list: List,
  item: Item<List>,
  renamed: ReadonlyMap<Item<FailoverList>, RouterConfig>,
): ListChange<List> | RouterIdentityChange {
  const before = renamed.get(item);
  if (before === undefined || !isRouter(item)) return { kind: 'failover-added', list, item };
  return { kind: 'failover-renamed', list: 'routers', before, after: item };
}

function changedOrReplaced<List extends FailoverList>(
  list: List,
  before: Item<List>,
  after: Item<List>,
): ListChange<List> | RouterIdentityChange {
  if (!isRouter(before) || !isRouter(after) || identityText(before) === identityText(after))
    return { kind: 'failover-changed', list, before, after };
  return { kind: 'failover-replaced', list: 'routers', before, after };
}

/** What peers know a virtual router by, and where. Its virtual MAC they learn anew from what is announced. */
function identityText({ router }: RouterConfig): string {
  const { device, family, version, virtualRouterId, delivery } = router;
  const group = delivery.kind === 'multicast' ? delivery.group : undefined;
  return JSON.stringify([device, family, version, virtualRouterId, delivery.kind, group]);
}

function isRouter(item: Item<FailoverList>): item is RouterConfig {
  return 'router' in item;
}

function policyOf({ pacing, scriptPolicy, writesStatesOnReload, dumps }: FailoverConfig): FailoverPolicy {
  return { pacing, scriptPolicy, writesStatesOnReload, dumps };
}

/** Its name; a FIFO's is who it is for. */
function keyOf(item: Item<FailoverList>): string {
  if ('router' in item) return item.router.name;
  if ('group' in item) return item.group.name;
  return 'hears' in item ? item.hears : item.name;
}

/** The configuration after the change; a change of what is not there changes nothing. */
export function applyFailover(change: FailoverChange, failover: FailoverConfig): FailoverConfig {
  if (change.kind === 'failover-policy-changed') return { ...failover, ...change.after };
  return { ...failover, [change.list]: applyToList(change, failover[change.list]) };
}

function applyToList(
  change: Exclude<FailoverChange, { readonly kind: 'failover-policy-changed' }>,
  items: readonly Item<FailoverList>[],
): readonly Item<FailoverList>[] {
  switch (change.kind) {
    case 'failover-added':
      return [...items, change.item];
    case 'failover-removed':
      return without(items, keyOf, change.key);
    case 'failover-renamed':
      return [...without(items, keyOf, keyOf(change.before)), change.after];
    case 'failover-changed':
    case 'failover-replaced': {
      const key = keyOf(change.after);
      return items.map((item) => (keyOf(item) === key ? change.after : item));
    }
    case 'failover-reordered':
      return ordered(items, keyOf, change.order);
  }
}

// Words.

const nouns: Readonly<Record<FailoverList, string>> = {
  routers: 'virtual router',
  groups: 'sync group',
  scripts: 'script',
  files: 'tracked file',
  fifos: 'FIFO',
};

/** One line for a log. */
export function describeFailover(change: FailoverChange): string {
  switch (change.kind) {
    case 'failover-policy-changed': {
      const [before, after] = [flatPolicy(change.before), flatPolicy(change.after)];
      return `failover settings: ${fieldsText(before, after)}`;
    }
    case 'failover-added':
      return `${nouns[change.list]} ${keyOf(change.item)} added${detailOf(change.item)}`;
    case 'failover-removed':
      return `${nouns[change.list]} ${change.key} removed`;
    case 'failover-changed':
    case 'failover-renamed':
      return changedText(change);
    case 'failover-replaced':
      return `${changedText(change)}; for its peers it is another one, which starts while the old one gives up`;
    case 'failover-reordered':
      return `${nouns[change.list]}s reordered`;
  }
}

function changedText({
  list,
  before,
  after,
}: Extract<FailoverChange, { readonly list: FailoverList; readonly after: unknown }>): string {
  return `${nouns[list]} ${keyOf(before)}: ${fieldsText(flatItem(before), flatItem(after))}`;
}

function detailOf(item: Item<FailoverList>): string {
  if ('router' in item) return routerText(item);
  return 'group' in item ? `: ${item.group.members.join(', ')}` : '';
}

function routerText({ router }: RouterConfig): string {
  const { device, virtualRouterId, priority, addresses, excludedAddresses } = router;
  const count = addresses.length + excludedAddresses.length;
  const addressText = `${count} address${count === 1 ? '' : 'es'}`;
  return `: VRID ${virtualRouterId} on ${device}, priority ${priority}, ${addressText}`;
}

function flatPolicy({ pacing, scriptPolicy, writesStatesOnReload, dumps }: FailoverPolicy): object {
  const { account, isSecure } = scriptPolicy;
  return {
    scriptUser: userText(account),
    enableScriptSecurity: isSecure,
    writesStatesOnReload,
    ...prefixed('dumps', dumps),
    announcementPause: pauseText(pacing),
    garpGroups: pacing.groups.map((group) => `${group.devices.join(', ')}: ${pauseText(group)}`),
  };
}

function pauseText({ arp, na }: Pause): string {
  return `ARP ${timeText(arp)}, NA ${timeText(na)}`;
}

/** The fields of the item and of what it wraps as plain values, so that each difference has a name and words of its own. */
function flatItem(item: Item<FailoverList>): object {
  if ('router' in item) return { ...flatRouter(item.router), ...flatNotify(item.notify) };
  if ('group' in item) {
    const { name, members, tracks } = item.group;
    return { name, members, tracks: tracks.map(trackText), ...flatNotify(item.notify) };
  }
  if ('hears' in item) return { ...item, account: userText(item.account), script: commandText(item.script) };
  if ('path' in item) return item;
  const { command, interval, timeout, account, ...rest } = item;
  const times = { interval: timeText(interval), timeout: timeText(timeout) };
  return { ...rest, command: command.join(' '), ...times, account: userText(account) };
}

/** Without what follows from the interval. The password is told to nobody. */
function flatRouter({ advertLease, releaseBudget, ...router }: VirtualRouter): object {
  return {
    ...router,
    advertInterval: timeText(router.advertInterval),
    preemptDelay: timeText(router.preemptDelay),
    startupDelay: timeText(router.startupDelay),
    delivery: deliveryText(router.delivery),
    addresses: router.addresses.map(addressText),
    excludedAddresses: router.excludedAddresses.map(addressText),
    routes: router.routes.map(routeText),
    tracks: router.tracks.map(trackText),
    ...prefixed('announce', flatAnnounce(router.announce)),
    announce: undefined,
  };
}

function flatAnnounce({ delay, refresh, lowerPriorityDelay, extra, ...rest }: AnnouncePolicy): object {
  return {
    ...rest,
    delay: timeText(delay),
    refresh: timeText(refresh),
    lowerPriorityDelay: timeText(lowerPriorityDelay),
    extra: timeText(extra),
  };
}

function flatNotify({ notifiesPriority, ...scripts }: NotifyScripts): object {
  const texts = Object.entries(scripts).map(([name, script]) => [name, commandText(script)]);
  return { ...prefixed('notify', Object.fromEntries(texts)), notifiesPriority };
}

function prefixed(prefix: string, fields: object): object {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${prefix}.${name}`, value]));
}

function timeText(time: Micros): string {
  return `${time / 1_000_000} s`;
}

function commandText(command: ScriptCommand | undefined): string | undefined {
  if (command === undefined) return undefined;
  // `notify_deleted` alone.
  if (command.words.length === 0) return 'no script';
  const user = userText(command.account);
  return user === undefined ? command.words.join(' ') : `${command.words.join(' ')} as ${user}`;
}

function userText(account: Account | undefined): string | undefined {
  return account === undefined ? undefined : [account.user, account.group ?? ''].join(' ').trimEnd();
}

function deliveryText(delivery: Delivery): string {
  if (delivery.kind === 'multicast') return `multicast ${delivery.group}`;
  const peers = delivery.peers.map(({ address, minTtl, maxTtl }) => `${address} TTL ${minTtl}-${maxTtl}`);
  return `unicast to ${peers.join(', ')}, TTL ${delivery.ttl}${delivery.checksSource ? ', source checked' : ''}`;
}

function addressText({ address, length, ...options }: VirtualAddress): string {
  return [`${address}/${length}`, ...optionTexts(options)].join(' ');
}

function routeText({ kind, destination, isOnLink, ...options }: VirtualRoute): string {
  const head = [...(kind === 'unicast' ? [] : [kind]), `${destination.address}/${destination.length}`];
  return [...head, ...optionTexts(options), ...(isOnLink ? ['onlink'] : [])].join(' ');
}

function trackText({ kind, name, weight, isReversed }: Track): string {
  return `${kind} ${name} weight ${weight}${isReversed ? ' reversed' : ''}`;
}

function optionTexts(options: object): string[] {
  return Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${value}`],
  );
}
