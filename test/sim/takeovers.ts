// The later phases. Settling: whatever chaos left, after a bounded time there is one master. Calm: nothing changes, and
// hosts know who is master. Then orderly takeovers, each within its budget: master lost, released, switched over.
import { micros } from '../../src/model/units.js';
import { effectivePriority } from '../../src/vrrp/state.js';
import { masterDownInterval, skewTime } from '../../src/vrrp/timers.js';
import type { Director } from './director.js';
import { hosts } from './network.js';
import { calmConditions, type Simulation } from './simulation.js';

export function checkTakeovers(simulation: Simulation): void {
  // Those that were releasing when chaos ended first come to their end.
  const { scenario, schedule } = simulation;
  const releases = scenario.directors.flatMap(({ routers }) =>
    [...routers.values()].map((one) => one.releaseBudget),
  );
  schedule.runUntil(schedule.now + Math.max(...releases) + scenario.longest);
  startStopped(simulation);
  settle(simulation, 'after chaos');
  stayCalm(simulation);
  loseMaster(simulation);
  settle(simulation, 'after the master was lost');
  releaseMaster(simulation);
  for (const director of simulation.directors) if (!director.isRunning) director.start();
  startStopped(simulation);
  settle(simulation, 'after all came back');
  switchOver(simulation);
}

/** The longest that everything together may take: start, wait, be put off, take over. */
export function settleTime({ scenario }: Simulation): number {
  const routers = scenario.directors.flatMap(({ routers: own }) => [...own.values()]);
  const longest = (pick: (router: (typeof routers)[number]) => number) => Math.max(...routers.map(pick));
  const down = longest((router) => masterDownInterval(router, 1, micros(scenario.longest)));
  const put = longest(
    ({ preemptDelay, startupDelay, releaseBudget }) => preemptDelay + startupDelay + releaseBudget,
  );
  return put + 3 * down + 2 * scenario.longest;
}

function settle(simulation: Simulation, when: string): void {
  const { schedule } = simulation;
  simulation.note(hosts, () => `settling ${when}`);
  schedule.runUntil(schedule.now + settleTime(simulation));
  for (const name of routerNames(simulation)) checkOneMaster(simulation, name, when);
}

function stayCalm(simulation: Simulation): void {
  const { schedule, scenario } = simulation;
  simulation.note(hosts, () => 'calm');
  simulation.isCalm = true;
  schedule.runUntil(schedule.now + 10 * scenario.longest);
  simulation.isCalm = false;
  for (const name of routerNames(simulation)) {
    checkOneMaster(simulation, name, 'while all is calm');
    const [master] = mastersOf(simulation, name);
    if (master === undefined) continue;
    checkCache(simulation, name, master);
    if (scenario.isPreemptive) checkBestWon(simulation, name, master);
  }
}

/** Power lost: the best backup takes over, alone, within the master-down interval, and no sooner. */
function loseMaster(simulation: Simulation): void {
  const { schedule } = simulation;
  const name = routerNames(simulation)[0] ?? '';
  const [master] = mastersOf(simulation, name);
  const affected = master === undefined ? [] : groupOf(simulation, name);
  const best = backupsOf(simulation, name)[0];
  if (master === undefined || best === undefined) return;
  const start = schedule.now;
  const budget = Math.max(...affected.map((one) => silenceBudget(master, best, one)));
  const isOrdered = isOrderExpected(simulation, name);
  simulation.risen = [];
  master.powerOff();
  schedule.runUntil(start + budget + slack(simulation));
  for (const one of affected) {
    const risen = simulation.risen.filter(({ router }) => router === one);
    if (mastersOf(simulation, one).length !== 1) {
      simulation.violation(`${one}: no master within ${text(budget)} after the master was lost`);
    }
    const early = Math.min(...affected.map((each) => earliest(master, best, each)));
    const [first] = risen;
    if (first !== undefined && first.at - start < early - slack(simulation)) {
      simulation.violation(`${one}: taken over after ${text(first.at - start)}, before ${text(early)}`);
    }
    if (risen.length > 1 && isOrdered) {
      simulation.violation(`${one}: ${risen.length} directors took over from a lost master`);
    }
  }
}

/** A graceful stop: the addresses are held at every moment, and the successor needs no more than its skew. */
function releaseMaster(simulation: Simulation): void {
  const { schedule } = simulation;
  const name = routerNames(simulation)[0] ?? '';
  const [master] = mastersOf(simulation, name);
  const best = backupsOf(simulation, name)[0];
  if (master === undefined || best === undefined) return;
  const affected = groupOf(simulation, name);
  const budget = Math.max(...affected.map((one) => releaseBudget(master, best, one)));
  watchHolders(simulation, affected, () => master.handle(name, { kind: 'release' }), budget);
  for (const one of affected) {
    if (mastersOf(simulation, one).length !== 1 || mastersOf(simulation, one).includes(master)) {
      simulation.violation(`${one}: no successor within ${text(budget)} after a graceful stop`);
    }
  }
  schedule.runUntil(schedule.now + slack(simulation));
}

/** As a stop, and then the old master leaves the new one alone, whatever its priority. */
function switchOver(simulation: Simulation): void {
  const { schedule, scenario } = simulation;
  const name = routerNames(simulation)[0] ?? '';
  const [master] = mastersOf(simulation, name);
  const best = backupsOf(simulation, name)[0];
  if (master === undefined || best === undefined) return;
  const affected = groupOf(simulation, name);
  const budget = Math.max(...affected.map((one) => releaseBudget(master, best, one)));
  watchHolders(simulation, affected, () => master.handle(name, { kind: 'switchover' }), budget);
  schedule.runUntil(schedule.now + 6 * scenario.longest + settleTime(simulation));
  for (const one of affected) {
    const [next] = mastersOf(simulation, one);
    if (next === undefined || next === master) simulation.violation(`${one}: the switchover did not last`);
    checkOneMaster(simulation, one, 'after a switchover');
  }
}

/** Runs `start` and the time of `budget`; meanwhile somebody holds each of the addresses. */
function watchHolders(
  simulation: Simulation,
  names: readonly string[],
  start: () => void,
  budget: number,
): void {
  const { schedule, directors } = simulation;
  simulation.watch = () => {
    for (const name of names) {
      const isHeld = directors.some((director) => director.held.get(name)?.hasAddresses === true);
      if (!isHeld) simulation.violation(`${name}: nobody holds the addresses during a planned takeover`);
    }
  };
  start();
  schedule.runUntil(schedule.now + budget + slack(simulation));
  simulation.watch = undefined;
}

function checkOneMaster(simulation: Simulation, name: string, when: string): void {
  const { directors, violation } = simulation;
  const masters = mastersOf(simulation, name).map(({ index }) => index);
  const canBe = directors.some((director) => director.isEligible(name));
  if (masters.length > 1) violation(`${name}: masters ${masters.join(' and ')} ${when}`);
  if (masters.length === 0 && canBe) violation(`${name}: no master ${when}`);
  const holders = directors.filter((director) => director.held.get(name)?.hasAddresses);
  if (holders.length > 1) violation(`${name}: ${holders.length} directors hold the addresses ${when}`);
}

/** Hosts send to the master: always with a refresh; without, where every loser of a split said so. */
function checkCache(simulation: Simulation, name: string, master: Director): void {
  const { announce } = master.router(name);
  if (announce.refresh === 0 && !simulation.scenario.isHealSeen) return;
  const cached = simulation.caches.get(name);
  if (cached !== master.index) {
    simulation.violation(`${name}: hosts send to ${cached}, the master is ${master.index}`);
  }
}

function checkBestWon(simulation: Simulation, name: string, master: Director): void {
  const group = groupOf(simulation, name);
  const isHeld = simulation.directors.some((director) =>
    group.some((one) => {
      const state = director.state(one);
      return state?.kind === 'backup' && state.preemption.kind === 'held';
    }),
  );
  if (isHeld) return;
  const own = priorityOf(master, name);
  const better = simulation.directors.find((director) => {
    return director.isEligible(name) && priorityOf(director, name) > own;
  });
  if (better !== undefined) {
    simulation.violation(`${name}: ${master.index} is master, ${better.index} has the better priority`);
  }
}

function mastersOf({ directors }: Simulation, name: string): Director[] {
  return directors.filter((director) => director.state(name)?.kind === 'master');
}

/** Who would take over, best first. */
function backupsOf({ directors }: Simulation, name: string): Director[] {
  return directors
    .filter((director) => director.state(name)?.kind === 'backup')
    .sort((a, b) => priorityOf(b, name) - priorityOf(a, name));
}

function priorityOf(director: Director, name: string): number {
  const state = director.state(name);
  return state === undefined ? 0 : effectivePriority(state);
}

function routerNames({ scenario }: Simulation): string[] {
  return scenario.groups.flat();
}

function groupOf({ scenario }: Simulation, name: string): readonly string[] {
  return scenario.groups.find((members) => members.includes(name)) ?? [name];
}

function silenceBudget(master: Director, best: Director, name: string): number {
  const router = best.router(name);
  const interval = router.version === 3 ? master.router(name).advertInterval : router.advertInterval;
  return masterDownInterval(router, priorityOf(best, name), interval);
}

/** The master died just before its next advert. */
function earliest(master: Director, best: Director, name: string): number {
  return silenceBudget(master, best, name) - master.router(name).advertInterval;
}

function releaseBudget(master: Director, best: Director, name: string): number {
  const router = best.router(name);
  const interval = router.version === 3 ? master.router(name).advertInterval : router.advertInterval;
  return skewTime(router, priorityOf(best, name), interval);
}

/** Delays, late timers and clocks that run a little off. */
function slack({ scenario }: Simulation): number {
  const [, delay] = calmConditions(scenario).delay;
  return 4 * delay + scenario.shortest / 100 + scenario.longest / 200;
}

/** Skews lie further apart than an advert travels, for all members of the group. */
function isOrderExpected(simulation: Simulation, name: string): boolean {
  const [best, second] = backupsOf(simulation, name);
  if (best === undefined || second === undefined) return true;
  const gap = priorityOf(best, name) - priorityOf(second, name);
  const [, delay] = calmConditions(simulation.scenario).delay;
  return groupOf(simulation, name).length === 1 && (gap / 256) * simulation.scenario.shortest > 3 * delay;
}

function text(duration: number): string {
  return `${(duration / 1e6).toFixed(3)} s`;
}

function startStopped({ directors }: Simulation): void {
  for (const director of directors) {
    for (const name of director.held.keys()) director.handle(name, { kind: 'start' });
  }
}
