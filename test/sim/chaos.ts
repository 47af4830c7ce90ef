// The first phase: everything that goes wrong, at random times, until it ends and the network is whole again.
import type { VrrpEvent } from '../../src/vrrp/state.js';
import type { Director } from './director.js';
import { type Conditions, hosts } from './network.js';
import { calmConditions, type Simulation } from './simulation.js';
import { disturb } from './strangers.js';

/** In intervals. */
const length = 50;
const troubles = 25;

/** Schedules the phase and gives its end. */
export function scheduleChaos(simulation: Simulation): number {
  const { random, scenario, schedule, network } = simulation;
  const unit = scenario.longest;
  const start = 3 * unit;
  const end = start + length * unit;
  schedule.at(start, () => {
    network.conditions = badConditions(simulation);
    simulation.note(hosts, () => `chaos begins: ${JSON.stringify(network.conditions)}`);
  });
  for (let i = 0; i < troubles; i++) schedule.at(random.between(start, end), () => trouble(simulation));
  disturb(simulation);
  schedule.at(end, () => heal(simulation));
  return end;
}

function badConditions({ random, scenario }: Simulation): Conditions {
  const most = random.pick([0.005, 0.05, 0.5, 1.5]) * scenario.shortest;
  return {
    loss: random.pick([0, 0.05, 0.2, 0.4]),
    duplicates: random.pick([0, 0.05, 0.3]),
    echoes: random.pick([0, 0.2]),
    delay: [most / 10, most],
    isOrdered: random.chance(0.5),
  };
}

function trouble(simulation: Simulation): void {
  const { random, scenario, directors, network, schedule } = simulation;
  const unit = scenario.longest;
  const director = directors[random.below(directors.length)] as Director;
  const name = [...director.held.keys()][random.below(director.held.size)] ?? '';
  const send = (event: VrrpEvent) => director.handle(name, event);
  const later = (from: number, to: number, run: () => void) =>
    schedule.after(random.between(from, to) * unit, run);
  switch (random.below(13)) {
    case 0:
      network.conditions = badConditions(simulation);
      simulation.note(hosts, () => `conditions: ${JSON.stringify(network.conditions)}`);
      return;
    case 1:
    case 2:
      partition(simulation);
      return;
    case 3:
      network.cuts.clear();
      simulation.note(hosts, () => 'partitions end');
      return;
    case 4:
    case 5:
      director.stall(random.between(0.1, 9) * unit);
      return;
    case 6:
      director.kill();
      later(0.1, 8, () => revive(director));
      return;
    case 7:
      director.powerOff();
      later(0.5, 12, () => revive(director));
      return;
    case 8:
      director.setScript(random.pick([`${name} light`, 'of the group']), random.chance(0.5));
      return;
    case 9:
      director.setScript(`${name} fatal`, false);
      later(0.2, 8, () => director.setScript(`${name} fatal`, true));
      return;
    case 10: {
      const link = director.linkOf(name);
      director.setLink(link, false);
      later(0.2, 8, () => director.setLink(link, true));
      return;
    }
    case 11:
      send({ kind: random.pick(['switchover', 'allow-preemption']) });
      return;
    default:
      send({ kind: 'release' });
      later(3, 10, () => director.isRunning && startAll(director));
      return;
  }
}

/** One direction, or both, between two groups of directors, on one link or all; a group keeps its hosts. */
function partition({ random, scenario, directors, network, note }: Simulation): void {
  const links = [...new Set(scenario.linkOf.values())];
  const cutLinks = random.chance(0.5) ? links : [links[random.below(links.length)] ?? 0];
  const side = directors.filter(() => random.chance(0.5)).map(({ index }) => index);
  const isOneWay = random.chance(0.5);
  for (const a of side) {
    for (const { index: b } of directors) {
      if (side.includes(b)) continue;
      for (const link of cutLinks) {
        network.cut(link, a, b);
        if (!isOneWay) network.cut(link, b, a);
      }
    }
  }
  note(hosts, () => `cut: ${[...network.cuts].join(' ')}`);
}

function revive(director: Director): void {
  if (!director.isRunning) director.start();
}

/** A released virtual router starts again, as after an operator's order. */
function startAll(director: Director): void {
  for (const name of director.held.keys()) director.handle(name, { kind: 'start' });
}

/** Nothing goes wrong from here on. A few stay down or in fault, but never all of them. */
function heal({ directors, network, random, scenario, note }: Simulation): void {
  note(hosts, () => 'the network is whole');
  network.cuts.clear();
  network.conditions = calmConditions(scenario);
  const survivor = random.below(directors.length);
  for (const director of directors) {
    const mayStay = director.index !== survivor && random.chance(0.25);
    if (director.isStalled()) director.awake();
    if (mayStay && (!director.isRunning || [...director.failing].some((script) => script.endsWith('fatal'))))
      continue;
    director.mend();
    revive(director);
    startAll(director);
  }
}
