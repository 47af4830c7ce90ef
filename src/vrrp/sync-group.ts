// A sync group: its virtual routers are all master, all backup or all in fault. Each event goes to one member, and what
// it changes there is told to the others until nothing changes any more. Pure, as the members are.

import { type Micros, micros } from '../model/units.js';
import { step } from './instance.js';
import type { InstancePolicy, VrrpAction, VrrpEvent, VrrpState } from './state.js';

/** States by the name of the virtual router. */
export type GroupStates = ReadonlyMap<string, VrrpState>;
export type GroupPolicies = ReadonlyMap<string, InstancePolicy>;

export type MemberAction = { readonly router: string; readonly action: VrrpAction };
export type GroupStep = { readonly states: GroupStates; readonly actions: readonly MemberAction[] };

type Letter = { readonly to: string; readonly event: VrrpEvent };

/** What `event` at the member `router` does to the whole group. A lone virtual router is a group of one. */
export function stepGroup(
  states: GroupStates,
  router: string,
  event: VrrpEvent,
  now: Micros,
  policies: GroupPolicies,
): GroupStep {
  const next = new Map(states);
  const actions: MemberAction[] = [];
  // Members move in one direction only within a round, so the letters run out.
  const letters: Letter[] = (isOrder(event) ? [...states.keys()] : [router]).map((to) => ({ to, event }));
  for (let letter = letters.shift(); letter !== undefined; letter = letters.shift()) {
    const before = next.get(letter.to);
    const policy = policies.get(letter.to);
    if (before === undefined || policy === undefined) continue;
    const { state, actions: own } = step(before, inGroup(letter, next, policies, now), now, policy);
    next.set(letter.to, state);
    for (const action of own) actions.push({ router: letter.to, action });
    letters.push(...consequences(letter.to, before, state, own, letter.event, next));
  }
  return { states: next, actions };
}

/** What only the group knows: whom a deadline waits for, and how long the successor of the slowest member may take. */
function inGroup(
  { to, event }: Letter,
  states: GroupStates,
  policies: GroupPolicies,
  now: Micros,
): VrrpEvent {
  if (states.size === 1) return event;
  if (event.kind === 'release' || event.kind === 'switchover') {
    const budgets = [...policies.values()].map(({ router }) => router.releaseBudget);
    return { kind: event.kind, budget: micros(Math.max(...budgets)) };
  }
  if (event.kind !== 'deadline') return event;
  const holdsBack = (state: VrrpState) =>
    state.kind === 'backup'
      ? state.ready === undefined && state.masterDownAt > now
      : state.kind === 'releasing';
  const waitsFor = [...states].find(([name, state]) => name !== to && holdsBack(state))?.[0];
  return { kind: 'deadline', waitsFor };
}

/** What the other members must hear of a member's step. */
function consequences(
  router: string,
  before: VrrpState,
  after: VrrpState,
  actions: readonly VrrpAction[],
  event: VrrpEvent,
  states: GroupStates,
): Letter[] {
  const others = [...states.keys()].filter((name) => name !== router);
  const toOthers = (sent: VrrpEvent): Letter[] => others.map((to) => ({ to, event: sent }));
  const letters: Letter[] = [];
  if (before.faults.length > 0 !== after.faults.length > 0) {
    letters.push(...faultLetters(router, after, states));
  }
  if (event.kind !== 'group-announce' && actions.some(isAnswerToLoser)) {
    letters.push(...toOthers({ kind: 'group-announce' }));
  }
  if (before.kind === after.kind) return letters;
  if (after.kind === 'master') letters.push(...toOthers({ kind: 'group', to: 'master', router }));
  if (after.kind === 'backup' && before.kind === 'master') {
    letters.push(...toOthers({ kind: 'group', to: 'backup', router }));
  }
  // Whoever comes late joins what the others are.
  const leader = others.find((name) => states.get(name)?.kind === 'master');
  const isLate = after.kind === 'backup' && (before.kind === 'initialize' || before.kind === 'fault');
  if (isLate && leader !== undefined) {
    letters.push({ to: router, event: { kind: 'group', to: 'master', router: leader } });
  }
  return letters;
}

/** Every member hears of the first other member that is itself at fault. */
function faultLetters(router: string, after: VrrpState, states: GroupStates): Letter[] {
  const faulty = new Set([...states].filter(([, { faults }]) => faults.length > 0).map(([name]) => name));
  if (after.faults.length > 0) faulty.add(router);
  return [...states].flatMap(([to, { groupFault }]): Letter[] => {
    const cause = [...faulty].find((name) => name !== to);
    return cause === groupFault ? [] : [{ to, event: { kind: 'group-fault', router: cause } }];
  });
}

/** What the operator asks of one member is asked of all. */
function isOrder({ kind }: VrrpEvent): boolean {
  return kind === 'release' || kind === 'stop' || kind === 'switchover' || kind === 'allow-preemption';
}

function isAnswerToLoser(action: VrrpAction): boolean {
  return action.kind === 'announce' && action.why === 'lower-priority';
}
