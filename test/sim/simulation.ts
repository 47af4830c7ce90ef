// One run: chaos, then a whole network with a safety and a liveness phase, then orderly takeovers held against their
// budgets. Everything follows from the seed.
import { encodeAdvert } from '../../src/vrrp/advert.js';
import { receive } from '../../src/vrrp/receive.js';
import { holdsAddresses, type VrrpAction, type VrrpState } from '../../src/vrrp/state.js';
import { stepGroup } from '../../src/vrrp/sync-group.js';
import { memberTracks } from '../../src/vrrp/tracking.js';
import { scheduleChaos } from './chaos.js';
import { Schedule } from './clock.js';
import { Director, type Functions, type World } from './director.js';
import { type Conditions, hosts, Network } from './network.js';
import { createRandom, type Random } from './prng.js';
import { createScenario, type Scenario, sourceOf } from './scenario.js';
import { checkTakeovers } from './takeovers.js';

export const product: Functions = { stepGroup, receive, encodeAdvert, memberTracks };

export type Result = {
  readonly seed: number;
  /** Empty: all is well. */
  readonly violations: readonly string[];
  /** Only of a run that was asked for it. */
  readonly log: readonly string[];
  readonly steps: number;
  readonly transitions: number;
  readonly war: War;
};

/** What clients of two masters that do not hear each other saw. */
export type War = { flips: number; lost: number };

/** What the phases work with. */
export type Simulation = {
  readonly seed: number;
  readonly random: Random;
  readonly scenario: Scenario;
  readonly schedule: Schedule;
  readonly network: Network;
  readonly directors: readonly Director[];
  /** Where hosts believe each virtual router to be. */
  readonly caches: ReadonlyMap<string, number>;
  /** True from the moment on which nothing may change any more. */
  isCalm: boolean;
  /** Who became master, since it was last emptied. */
  risen: { readonly director: number; readonly router: string; readonly at: number }[];
  /** Called after each step of each director. */
  watch: (() => void) | undefined;
  /** Called when hosts send somewhere else from now on. */
  onFlip: ((router: string) => void) | undefined;
  /** A firewall on each director drops adverts, and nothing else. */
  areAdvertsCut: boolean;
  readonly war: War;
  readonly violation: (text: string) => void;
  readonly note: (from: number, text: () => string) => void;
};

/** Enough to say what is wrong; a broken run breaks everywhere. */
const maxViolations = 5;
const maxSteps = 400_000;

export function simulate(seed: number, functions: Functions = product, isVerbose = false): Result {
  const random = createRandom(seed);
  const scenario = createScenario(random);
  const schedule = new Schedule();
  const network = new Network(schedule, random, calmConditions(scenario));
  const caches = new Map<string, number>();
  const violations: string[] = [];
  const log: string[] = [];
  let steps = 0;
  let transitions = 0;
  const note = (from: number, text: () => string) => {
    if (isVerbose) log.push(`${(schedule.now / 1e6).toFixed(6)} ${from === hosts ? '*' : from} ${text()}`);
  };
  const violation = (text: string) => {
    note(hosts, () => `VIOLATION ${text}`);
    if (violations.length < maxViolations) violations.push(`${(schedule.now / 1e6).toFixed(6)} ${text}`);
  };
  const directors: Director[] = [];
  const simulation: Simulation = {
    seed,
    random,
    scenario,
    schedule,
    network,
    directors,
    caches,
    isCalm: false,
    risen: [],
    watch: undefined,
    onFlip: undefined,
    areAdvertsCut: false,
    war: { flips: 0, lost: 0 },
    violation,
    note,
  };
  const stepped = (from: number, name: string, state: VrrpState, actions: readonly VrrpAction[]) => {
    if (++steps === maxSteps) violation('the run does not come to an end');
    checkHolding(directors[from] as Director, name, state, actions, violation);
    for (const action of actions) {
      if (action.kind !== 'transition') continue;
      transitions++;
      if (simulation.isCalm) violation(`${from} ${name}: ${action.from}→${action.to} while all is calm`);
      if (action.to === 'master') simulation.risen.push({ director: from, router: name, at: schedule.now });
    }
    simulation.watch?.();
  };
  const world: World = {
    now: () => schedule.now,
    at: (time, run) => {
      if (steps < maxSteps) schedule.at(time, run);
    },
    lateness: () => random.between(0, scenario.shortest / 400),
    send: (from, router, packet) => {
      const whole = { ...packet, virtualRouterId: router.virtualRouterId };
      const link = scenario.linkOf.get(router.name) ?? 0;
      for (const to of directors) {
        if (simulation.areAdvertsCut && to.index !== from) continue;
        const isTo = packet.isMulticast || packet.destination === sourceOf(to.index, router.family);
        if (isTo) network.carry(link, from, to.index, () => to.arrive(whole));
      }
    },
    announce: (from, name) => announce(simulation, caches, from, name),
    probe: (from, name) => probe(simulation, from, name),
    stepped,
    note,
    violation,
  };
  for (const setup of scenario.directors) directors.push(new Director(setup, scenario, world, functions));
  note(hosts, () => describeScenario(scenario));
  for (const director of directors) {
    schedule.after(random.between(0, 2 * scenario.longest), () => director.start());
  }
  schedule.runUntil(scheduleChaos(simulation));
  checkTakeovers(simulation);
  return { seed, violations, log, steps, transitions, war: simulation.war };
}

/** A whole network: nothing lost, small delays, and still duplicates, echoes and strangers. */
export function calmConditions({ shortest }: Scenario): Conditions {
  return {
    loss: 0,
    duplicates: 0.02,
    echoes: 0.05,
    delay: [shortest / 1000, shortest / 200],
    isOrdered: true,
  };
}

/** A master, or one that releases, holds addresses and forwards; nobody else does either. Ever. */
function checkHolding(
  director: Director,
  name: string,
  state: VrrpState,
  actions: readonly VrrpAction[],
  violation: (text: string) => void,
): void {
  const held = director.held.get(name);
  const expected = holdsAddresses(state);
  if (held === undefined) return;
  const who = `${director.index} ${name}`;
  if (held.hasAddresses !== expected && !held.isTakenAway) {
    violation(`${who}: ${state.kind} ${held.hasAddresses ? 'with' : 'without'} the addresses`);
  }
  if (held.isForwarding && !expected) violation(`${who}: forwards as ${state.kind}`);
  if (!held.isForwarding && expected && !held.isTakenAway)
    violation(`${who}: ${state.kind} without forwarding`);
  if (state.kind !== 'master' && actions.some((action) => action.kind === 'announce')) {
    const last = actions.findLast(({ kind }) => kind === 'announce' || kind === 'transition');
    if (last?.kind === 'announce') violation(`${who}: announces as ${state.kind}`);
  }
}

/** Hosts send where it is said from, and other holders hear the claim. */
function announce(simulation: Simulation, caches: Map<string, number>, from: number, name: string): void {
  const { directors, network, scenario } = simulation;
  const link = scenario.linkOf.get(name) ?? 0;
  network.carry(link, from, hosts, () => {
    const isNew = caches.get(name) !== from;
    caches.set(name, from);
    if (isNew) simulation.onFlip?.(name);
  });
  for (const other of directors) {
    if (other.index === from) continue;
    network.carry(link, from, other.index, () => {
      if (other.isRunning && other.hasLink(name)) other.handle(name, { kind: 'address-claimed' });
    });
  }
}

/** Whoever holds the addresses answers, as its kernel would. */
function probe({ directors, network, scenario }: Simulation, from: number, name: string): void {
  const link = scenario.linkOf.get(name) ?? 0;
  for (const other of directors) {
    if (other.index === from) continue;
    network.carry(link, from, other.index, () => {
      if (!other.isPowered || !other.hasLink(name) || other.held.get(name)?.hasAddresses !== true) return;
      network.carry(link, other.index, from, () => {
        const address = other.router(name).addresses[0]?.address;
        if (address === undefined) return;
        directors[from]?.handle(name, { kind: 'address-answered', address, mac: `02::${other.index}` });
      });
    });
  }
}

function describeScenario({ directors, groups, linkOf }: Scenario): string {
  const routers = [...(directors[0]?.routers.values() ?? [])].map(
    ({ name, version, family, advertInterval, delivery, downTimerAdverts }) =>
      `${name}: v${version} IPv${family} ${delivery.kind} every ${advertInterval / 1e6} s, ${downTimerAdverts} may be missing`,
  );
  const priorities = directors.map(({ routers: own }) => {
    const [first] = [...own.values()];
    const all = [...own.values()].map(({ priority }) => priority);
    return `${all.join('/')}${first?.preempt === false ? ' nopreempt' : ''}`;
  });
  return `${directors.length} directors (${priorities.join(', ')}); ${routers.join('; ')}; groups ${JSON.stringify(groups.map(({ members }) => members))}; links ${JSON.stringify([...linkOf])}`;
}
