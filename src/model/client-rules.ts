// Which clients may open connections, and what changed between two lists. Networks are text, so that a list of tens of
// thousands is compared fast; what takes long goes in steps.

/** Canonical: `10.0.0.0/8`, `fd00::1/128`, no bit beyond the length. */
export type Network = string;

/**
 * Of all networks that hold a client the longest decides. In none of them it may, unless `allow` has others of its
 * family. No network stands in both lists, or twice; each is sorted as strings are.
 */
export type ClientRules = {
  readonly allow: readonly Network[];
  readonly deny: readonly Network[];
};

export const everyClient: ClientRules = { allow: [], deny: [] };

/** Of both lists together; addon/core/table/forwarding_table.h has the same. */
export const maxClientNetworks = 65_536;

export type ClientsChange = {
  readonly kind: 'clients-changed';
  readonly after: ClientRules;
  /** None of them empty. */
  readonly lists: readonly NetworksChange[];
};

type NetworksChange = {
  readonly list: 'allow' | 'deny';
  readonly what: 'added' | 'removed';
  readonly networks: readonly Network[];
};

/** So many networks of a change are named. */
const shownNetworks = 4;
const networksPerStep = 1_024;

/** undefined when they say the same. */
export function* diffClients(
  before: ClientRules,
  after: ClientRules,
): Generator<void, ClientsChange | undefined> {
  const lists: NetworksChange[] = [];
  for (const list of ['allow', 'deny'] as const) {
    const { added, removed } = yield* compareSorted(before[list], after[list]);
    if (added.length > 0) lists.push({ list, what: 'added', networks: added });
    if (removed.length > 0) lists.push({ list, what: 'removed', networks: removed });
  }
  return lists.length === 0 ? undefined : { kind: 'clients-changed', after, lists };
}

function* compareSorted(
  before: readonly Network[],
  after: readonly Network[],
): Generator<void, { readonly added: readonly Network[]; readonly removed: readonly Network[] }> {
  const [added, removed]: [Network[], Network[]] = [[], []];
  let [i, k] = [0, 0];
  for (let step = 1; i < before.length || k < after.length; step++) {
    const [old, next] = [before[i], after[k]];
    const isKept = old === next;
    if (old !== undefined && !isKept && (next === undefined || old < next)) {
      removed.push(old);
      i++;
    } else {
      if (next !== undefined && !isKept) added.push(next);
      if (isKept) i++;
      k++;
    }
    if (step % networksPerStep === 0) yield;
  }
  return { added, removed };
}

/** `clients: allow 10.0.0.0/8 added, deny 192.0.2.0/24 removed`. */
export function describeClients({ lists }: ClientsChange): string {
  const texts = lists.map(({ list, what, networks }) => {
    const rest = networks.length - shownNetworks;
    const shown = networks.slice(0, shownNetworks).join(' ');
    return `${list} ${shown}${rest > 0 ? ` and ${rest} more` : ''} ${what}`;
  });
  return `clients: ${texts.join(', ')}`;
}
