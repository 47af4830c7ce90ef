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
  cutOneLink(simulation);
  loseOneLink(simulation);
  loseMaster(simulation);
  settle(simulation, 'after the master was lost');
  releaseMaster(simulation);
  for (const director of simulation.directors) if (!director.isRunning) director.start();
  startStopped(simulation);
  settle(simulation, 'after all came back');
  switchOver(simulation);
  splitByFirewall(simulation);
}

/** Directors that hear each other on some links of a group, and not on one: the group stays one, and comes to rest. */
function cutOneLink(simulation: Simulation): void {
  const { directors, network, scenario, schedule } = simulation;
  const links = [...new Set(scenario.linkOf.values())];
  if (links.length < 2) return;
  const [link = 0] = links;
  simulation.note(hosts, () => `link ${link} is cut between the directors`);
  for (const a of directors) for (const b of directors) if (a !== b) network.cut(link, a.index, b.index);
  settle(simulation, 'while one link is cut');
  simulation.isCalm = true;
  schedule.runUntil(schedule.now + 20 * scenario.longest);
  simulation.isCalm = false;
  network.cuts.clear();
  settle(simulation, 'after one link was cut');
}

/** The device of one member goes down at the master: whoever can takes over all of the group, and the master is in fault. */
function loseOneLink(simulation: Simulation): void {
  const name = routerNames(simulation)[0] ?? '';
  const [master] = mastersOf(simulation, name);
  if (master === undefined) return;
  const link = master.linkOf(name);
  master.setLink(link, false);
  settle(simulation, 'after a link of the master went down');
  for (const one of groupOf(simulation, name)) {
    if (master.state(one)?.kind !== 'fault')
      simulation.violation(`${one}: not in fault without a link of its group`);
  }
  master.setLink(link, true);
  settle(simulation, 'after that link came back');
}

const second = 1_000_000;
/** Announcements go on for a while after a takeover and a conflict: by then they are said. */
const warBegins = 20 * second;
const warLength = 40 * second;

/**
 * Each director drops adverts and hears everything else: all are masters. Hosts may be told of it by each of them once; from
 * then on nobody may draw clients from another. Every change breaks the connections of the host's clients.
 */
function splitByFirewall(simulation: Simulation): void {
  const { directors, scenario, schedule, war, caches } = simulation;
  // With intervals of a hundredth of a second it would be most of the run.
  if (scenario.shortest < 0.1 * second) return;
  simulation.areAdvertsCut = true;
  simulation.note(hosts, () => 'a firewall drops adverts');
  const open = new Map<string, { at: number; to: number }[]>();
  const isAsked = directors.some(({ setup }) =>
    [...setup.routers.values()].some(({ announce }) => announce.isRefreshWritten && announce.refresh > 0),
  );
  let isQuiet = false;
  simulation.onFlip = (name) => {
    const connections = (open.get(name) ?? []).filter(({ at }) => schedule.now - at < 10 * second);
    war.flips += 1;
    war.lost += connections.filter(({ to }) => to !== caches.get(name)).length;
    open.set(name, []);
    if (isQuiet && !isAsked)
      simulation.violation(`${name}: hosts are drawn to another master again and again`);
  };
  const begin = schedule.now + settleTime(simulation);
  for (let at = begin; at < begin + warBegins + warLength; at += second) {
    schedule.at(at, () => {
      for (const [name, to] of caches) open.set(name, [...(open.get(name) ?? []), { at: schedule.now, to }]);
    });
  }
  schedule.runUntil(begin + warBegins);
  isQuiet = true;
  schedule.runUntil(begin + warBegins + warLength);
  simulation.onFlip = undefined;
  simulation.areAdvertsCut = false;
  settle(simulation, 'after the firewall was opened');
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
  if (isMixed(simulation, name)) {
    master.powerOff();
    return;
  }
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
  if (isMixed(simulation, name)) {
    master.handle(name, { kind: 'release' });
    return;
  }
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
  if (isMixed(simulation, name)) {
    master.handle(name, { kind: 'switchover' });
    return;
  }
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
  // While somebody else is believed to answer, nothing is said; the end of that is announced.
  const state = master.state(name);
  if (state?.kind === 'master' && state.conflict !== undefined) return;
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
  // A group obeys whoever is better in each of its members.
  const better = simulation.directors.find((director) => {
    return (
      director.isEligible(name) && group.every((one) => priorityOf(director, one) > priorityOf(master, one))
    );
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

/**
 * Another member of the group has another best backup. Then no budget holds: two whose priorities mirror each other may both
 * take over, and give way to each other once, before they come to rest.
 */
function isMixed(simulation: Simulation, name: string): boolean {
  const best = backupsOf(simulation, name)[0];
  return groupOf(simulation, name).some((one) => backupsOf(simulation, one)[0] !== best);
}

function priorityOf(director: Director, name: string): number {
  const state = director.state(name);
  return state === undefined ? 0 : effectivePriority(state);
}

function routerNames({ scenario }: Simulation): string[] {
  return scenario.groups.flatMap(({ members }) => members);
}

function groupOf({ scenario }: Simulation, name: string): readonly string[] {
  return scenario.groups.find(({ members }) => members.includes(name))?.members ?? [name];
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
