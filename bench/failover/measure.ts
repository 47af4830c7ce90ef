// One round of one scenario: a client asks 100 times a second while something happens to the master, and again while
// the former master comes back. What it did not get is the outage.

import {
  Cable,
  Lab,
  Meter,
  nowMicros,
  type Outage,
  type RouterSpec,
  type TrackedProcess,
  vip,
  waitFor,
} from '../../test/support/lab/index.js';
import type { Scenario, Timing } from './scenarios.js';
import type { Runner, Variant } from './variants.js';

const router = 'VI_1';
/** A client that nobody told of a new MAC finds out by itself within a minute. */
const patience_s = 120;
const priorities = { first: 150, second: 100 } as const;

/** Two directors that run, the first one master. */
export class Pair {
  #first: Runner;

  private constructor(
    readonly lab: Lab,
    private readonly variant: Variant,
    private readonly timing: Timing,
    first: Runner,
    private readonly second: Runner,
    /** A line for each advert, as it is heard. */
    private readonly adverts: TrackedProcess,
  ) {
    this.#first = first;
  }

  static async start(variant: Variant, timing: Timing): Promise<Pair> {
    const lab = await Lab.create(variant.topology);
    try {
      await variant.serve(lab);
      const first = await variant.start(lab.host('director-a'), specOf(timing, priorities.first));
      const second = await variant.start(lab.host('director-b'), specOf(timing, priorities.second));
      await first.waitForState(router, 'MASTER');
      await second.waitForState(router, 'BACKUP');
      const listening = ['tcpdump', '--immediate-mode', '-l', '-n', '-i', 'eth0', 'ip proto 112'];
      const adverts = lab.host('director-b').spawn(listening, { name: 'adverts' });
      return new Pair(lab, variant, timing, first, second, adverts);
    } catch (error) {
      await lab.dispose();
      throw error;
    }
  }

  /**
   * The outages of the takeover and of the return; undefined when the program has no such command. `phase` (0 to 1) is
   * where in the interval between two adverts it happens.
   */
  async measure(
    scenario: Scenario,
    phase: number,
  ): Promise<{ readonly takeover: Outage; readonly comeback: Outage } | undefined> {
    const cable = new Cable(this.lab, 'director-a');
    const strike = scenario.strike(this.#first, cable);
    if (strike === undefined) return undefined;
    const takeover = await this.#during(async () => {
      await waitForPhase(this.adverts, this.timing, phase);
      const at = nowMicros();
      await strike();
      await this.second.waitForState(router, 'MASTER');
      return at;
    });
    const comeback = await this.#during(async () => {
      const at = nowMicros();
      if (scenario.mending === 'restart') {
        this.#first = await this.variant.start(
          this.lab.host('director-a'),
          specOf(this.timing, priorities.first),
        );
      } else if (scenario.mending === 'restore') await cable.restore();
      else await this.second.switchOver?.();
      await this.second.waitForState(router, 'BACKUP');
      await this.#first.waitForState(router, 'MASTER');
      return at;
    });
    return { takeover, comeback };
  }

  /** The longest interruption since the moment that `act` gives. */
  async #during(act: () => Promise<number>): Promise<Outage> {
    const meter = await Meter.start(this.lab.host('client'), vip);
    await meter.waitForAnswers(20);
    const since = await act();
    await meter.waitForAnswers(20, nowMicros(), patience_s);
    await meter.stop();
    return meter.outage(since);
  }
}

function specOf(timing: Timing, priority: number): RouterSpec {
  return {
    name: router,
    priority,
    version: timing.version,
    interval_s: timing.interval_s,
    addresses: [`${vip}/32 dev eth0`],
  };
}

/** Waits for an advert, and then for that share of the interval: chance would decide how long a silence has lasted. */
async function waitForPhase(adverts: TrackedProcess, timing: Timing, phase: number): Promise<void> {
  const heard = () => adverts.output().split('VRRP').length;
  const before = heard();
  await waitFor('an advert', () => heard() > before, { interval_ms: 2 });
  const until = performance.now() + phase * timing.interval_s * 1000;
  await waitFor('the moment to strike', () => performance.now() >= until, { interval_ms: 2 });
}
