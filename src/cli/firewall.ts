// Firewall rules that used to see what services get: IPVS passes INPUT and FORWARD, the steering program takes packets
// before them. Read from nft (which has the rules of iptables-nft, too) and from iptables-legacy where that is in use.

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
  if (chains.length === 0) return [ok('firewall', 'no rule refuses packets at INPUT, FORWARD or PREROUTING')];
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
};

/** Hooks that IPVS traffic passed. */
const hooks: readonly string[] = ['prerouting', 'input', 'forward'];

/** `table inet filter, chain input (policy drop, 3 rules that refuse)`. */
function nftChains(text: string | undefined): string[] {
  const objects = parse(text);
  const refusing = new Map<string, number>();
  const jumps = new Map<string, string[]>();
  for (const { rule } of objects) {
    if (rule === undefined) continue;
    const key = `${rule.family} ${rule.table} ${rule.chain}`;
    for (const statement of rule.expr ?? []) {
      if ('drop' in statement || 'reject' in statement) refusing.set(key, (refusing.get(key) ?? 0) + 1);
      const target = targetOf(statement.jump) ?? targetOf(statement.goto);
      if (target === undefined) continue;
      jumps.set(key, [...(jumps.get(key) ?? []), `${rule.family} ${rule.table} ${target}`]);
    }
  }
  return objects.flatMap(({ chain }) => {
    if (chain?.hook === undefined || !hooks.includes(chain.hook) || !isOfIp(chain.family)) return [];
    const reached = reachedFrom(`${chain.family} ${chain.table} ${chain.name}`, jumps);
    const count = [...reached].reduce((sum, key) => sum + (refusing.get(key) ?? 0), 0);
    const place = `table ${chain.family} ${chain.table}, chain ${chain.name}`;
    return refusalText(place, chain.policy === 'drop', count);
  });
}

function isOfIp(family: string): boolean {
  return family === 'ip' || family === 'ip6' || family === 'inet';
}

function targetOf(jump: unknown): string | undefined {
  const target = (jump as { readonly target?: unknown } | undefined)?.target;
  return typeof target === 'string' ? target : undefined;
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
