// Firewall rules that used to see what services get: IPVS passes ingress, PREROUTING, INPUT and FORWARD; the steering
// program takes packets before all of them. Read from nft (which has the rules of iptables-nft, too) and from iptables-legacy where that is in use.

import { type Finding, ok, warning } from './finding.js';

/** What a program prints; undefined when it is not there or fails. */
export type RunProgram = (program: string, ...args: readonly string[]) => string | undefined;

export const nftCommand = ['nft', '-j', 'list', 'ruleset'] as const;
const legacyPrograms = ['iptables-legacy', 'ip6tables-legacy'] as const;

/** So many chains are named. */
const shownChains = 4;

/** `isLegacyUsed`: to ask iptables-legacy on a machine without its rules would load its modules. */
export function checkFirewall(run: RunProgram, isLegacyUsed: boolean): Finding[] {
  const rules = run(...nftCommand);
  const chains = [
    ...nftChains(rules),
    ...(isLegacyUsed ? legacyPrograms.flatMap((program) => legacyChains(program, run(program, '-S'))) : []),
  ];
  if (rules === undefined && chains.length === 0) {
    return [ok('firewall', 'rules were not looked at: nft is not here, or says nothing')];
  }
  if (chains.length === 0)
    return [ok('firewall', 'no rule refuses packets at ingress, PREROUTING, INPUT or FORWARD')];
  const rest = chains.length > shownChains ? ` and ${chains.length - shownChains} more` : '';
  const fact = `rules that refuse packets do not see what services get, for it is taken before them: ${chains.slice(0, shownChains).join(', ')}${rest}`;
  return [warning('firewall', fact, 'say in director { } whom services take: allow and deny')];
}

type NftObject = {
  readonly chain?: {
    readonly family: string;
    readonly table: string;
    readonly name: string;
    readonly hook?: string;
    readonly policy?: string;
  };
  readonly rule?: {
    readonly family: string;
    readonly table: string;
    readonly chain: string;
    readonly expr?: readonly Readonly<Record<string, unknown>>[];
  };
  /** Values and, in a map of verdicts, what becomes of a packet that has them. */
  readonly map?: {
    readonly family: string;
    readonly table: string;
    readonly name: string;
    readonly elem?: readonly unknown[];
  };
};

/** Hooks that IPVS traffic passed. */
const hooks: readonly string[] = ['ingress', 'prerouting', 'input', 'forward'];
const families: readonly string[] = ['ip', 'ip6', 'inet', 'netdev'];

/** `table inet filter, chain input (policy drop, 3 rules that refuse)`. */
function nftChains(text: string | undefined): string[] {
  const objects = parse(text);
  const refusing = new Map<string, number>();
  const jumps = new Map<string, string[]>();
  for (const { rule, map } of objects) {
    const holder = rule ?? map;
    if (holder === undefined) continue;
    const key = `${holder.family} ${holder.table} ${rule === undefined ? `@${map?.name}` : rule.chain}`;
    const { refuses, targets } = verdictsIn(rule === undefined ? map?.elem : rule.expr);
    if (refuses) refusing.set(key, (refusing.get(key) ?? 0) + 1);
    const further = targets.map((target) => `${holder.family} ${holder.table} ${target}`);
    jumps.set(key, [...(jumps.get(key) ?? []), ...further]);
  }
  return objects.flatMap(({ chain }) => {
    if (chain?.hook === undefined || !hooks.includes(chain.hook) || !families.includes(chain.family))
      return [];
    const reached = reachedFrom(`${chain.family} ${chain.table} ${chain.name}`, jumps);
    const count = [...reached].reduce((sum, key) => sum + (refusing.get(key) ?? 0), 0);
    const place = `table ${chain.family} ${chain.table}, chain ${chain.name}`;
    return refusalText(place, chain.policy === 'drop', count);
  });
}

/** What a rule, or a map, may do with a packet: refuse it, or hand it to other chains and maps (`@name`). */
function verdictsIn(value: unknown): { readonly refuses: boolean; readonly targets: readonly string[] } {
  const targets: string[] = [];
  let refuses = false;
  const visit = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    if (Array.isArray(part)) {
      part.forEach(visit);
      return;
    }
    for (const [key, inner] of Object.entries(part)) {
      if (key === 'drop' || key === 'reject' || (key === 'xt' && isRefusingTarget(inner))) refuses = true;
      else if (key === 'jump' || key === 'goto') targets.push(...targetOf(inner));
      else if (key === 'data' && typeof inner === 'string' && inner.startsWith('@')) targets.push(inner);
      else visit(inner);
    }
  };
  visit(value);
  return { refuses, targets };
}

/** A target of iptables-nft that nft has no word for: `-j REJECT`. */
function isRefusingTarget(xt: unknown): boolean {
  const { type, name } = (xt ?? {}) as { readonly type?: unknown; readonly name?: unknown };
  return type === 'target' && (name === 'REJECT' || name === 'DROP' || name === 'TARPIT');
}

function targetOf(jump: unknown): string[] {
  const target = (jump as { readonly target?: unknown } | undefined)?.target;
  return typeof target === 'string' ? [target] : [];
}

function reachedFrom(start: string, jumps: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set([start]);
  for (const key of reached) for (const next of jumps.get(key) ?? []) reached.add(next);
  return reached;
}

function parse(text: string | undefined): readonly NftObject[] {
  try {
    const { nftables } = JSON.parse(text ?? '{}') as { readonly nftables?: readonly NftObject[] };
    return nftables ?? [];
  } catch {
    return [];
  }
}

/** `-P INPUT DROP`, `-A FORWARD … -j REJECT`: of chains that are jumped to, too. */
function legacyChains(program: string, text: string | undefined): string[] {
  const lines = (text ?? '').split('\n').map((line) => line.split(' '));
  const jumps = new Map<string, string[]>();
  const refusing = new Map<string, number>();
  for (const [command, chain = '', ...rest] of lines) {
    if (command !== '-A') continue;
    const target = rest[rest.findIndex((word) => word === '-j' || word === '-g') + 1] ?? '';
    if (target === 'DROP' || target === 'REJECT') refusing.set(chain, (refusing.get(chain) ?? 0) + 1);
    else jumps.set(chain, [...(jumps.get(chain) ?? []), target]);
  }
  return ['INPUT', 'FORWARD'].flatMap((chain) => {
    const isClosed = lines.some(
      ([command, name, policy]) => command === '-P' && name === chain && policy === 'DROP',
    );
    const count = [...reachedFrom(chain, jumps)].reduce((sum, key) => sum + (refusing.get(key) ?? 0), 0);
    return refusalText(`${program} ${chain}`, isClosed, count);
  });
}

function refusalText(place: string, isClosed: boolean, count: number): string[] {
  const parts = [
    ...(isClosed ? ['policy drop'] : []),
    ...(count === 0 ? [] : [`${count} rule${count === 1 ? '' : 's'} that refuse${count === 1 ? 's' : ''}`]),
  ];
  return parts.length === 0 ? [] : [`${place} (${parts.join(', ')})`];
}
