// The third act of the demo: two directors and one virtual IP. A client asks 100 times a second while the master is
// switched over, stopped, killed and cut off, and while it returns; each outage is measured and held against its budget.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DirectorStatus, VirtualRouterView } from '../../src/runtime/views.js';
import {
  Cable,
  Director,
  Lab,
  Meter,
  nowMicros,
  repository,
  startHttp,
  topologies,
  vip,
  waitFor,
} from '../../test/support/lab/index.js';
import { type ActOptions, type ActResult, labs } from './scenario.js';
import { bars, check, command, drawing, heading, say, step } from './screen.js';

const picture = `
┌──────────────────┐            ┌──────────────────┐
│ director-a  150  ├──┐      ┌──┤ server-a   nginx │
│ 10.1.0.2         │  │      │  │ 10.1.0.21        │
└────────▲─────────┘  │      │  └──────────────────┘
   VIP 10.1.0.100     ├──────┤
┌────────▼─────────┐  │switch│  ┌──────────────────┐
│ director-b  100  ├──┤      └──┤ server-b   nginx │
│ 10.1.0.3         │  │         │ 10.1.0.22        │
└──────────────────┘  │         └──────────────────┘
┌──────────────────┐  │
│ client 10.1.0.10 ├──┘  100 requests a second
└──────────────────┘`;

/** What the budget leaves out on a busy machine: timers, tables, the client's own rhythm. */
const allowance_ms = 250;

type Pair = { readonly a: Director; readonly b: Director };

/** One thing that happens to the master, or its return. */
type Trial = {
  readonly what: string;
  /** Makes it happen; gives the directors that run now. */
  readonly act: (pair: Pair) => Promise<Pair>;
  readonly master: keyof Pair;
  /** What `director status` calls its budget; `interval`: until the next advert; undefined: nobody is lost. */
  readonly budget: string | undefined;
};

type Measured = { readonly what: string; readonly outage_ms: number; readonly budget_ms: number };

export async function performFailover(options: ActOptions): Promise<ActResult> {
  heading('3. Failover: two directors, one virtual IP');
  drawing(picture);
  const { lab, pair: started } = await step('network namespaces, two nginx, two directors', () =>
    build(options),
  );
  let pair = started;
  await step('director-a is master: it has the higher priority', () => settle(pair, 'a'));
  command('director status     (on director-a)', routerLines((await pair.a.cli('status')).stdout));
  const meter = await Meter.start(lab.host('client'), vip);
  const measured: Measured[] = [];
  for (const trial of trials(lab)) {
    const budget_ms = await budgetOf(pair.b, trial.budget);
    const outage_ms = await step(trial.what, async () => {
      const since = nowMicros();
      pair = await trial.act(pair);
      await settle(pair, trial.master);
      await meter.waitForAnswers(20, nowMicros());
      return meter.outage(since).gapMicros / 1000;
    });
    measured.push({ what: trial.what, outage_ms, budget_ms });
    check(
      outage_ms <= budget_ms + allowance_ms,
      `longest time without an answer ${text(outage_ms)}; budget ${text(budget_ms)}`,
    );
  }
  const requests = meter.record().length;
  await meter.stop();
  report(measured);
  command('director status     (on director-b)', routerLines((await pair.b.cli('status')).stdout));
  if (options.keepAs === undefined) {
    for (const director of [pair.b, pair.a]) {
      const exit = await director.stop();
      check(exit.code === 0, `${director.host.name} ended with exit code ${exit.code ?? exit.signal}`);
      const left = (await director.host.addresses('eth0')).filter((address) => address.startsWith(`${vip}/`));
      check(left.length === 0, `${director.host.name} has given the virtual IP back`);
    }
  }
  return { lab, requests };
}

async function build(options: ActOptions): Promise<{ readonly lab: Lab; readonly pair: Pair }> {
  const keep = options.keepAs === undefined ? {} : { name: options.keepAs, outlivesUs: true };
  const lab = await Lab.create(topologies.twoDirectors('DR'), keep);
  labs.add(lab);
  await Promise.all(['server-a', 'server-b'].map((name) => startHttp(lab.host(name))));
  const [a, b] = await Promise.all([start(lab, 'a'), start(lab, 'b')]);
  return { lab, pair: { a, b } };
}

function start(lab: Lab, letter: keyof Pair): Promise<Director> {
  const config = readFileSync(join(repository, `examples/failover-${letter}.conf`), 'utf8');
  const socket = join(lab.dir, `director-${letter}.sock`);
  return Director.start(lab.host(`director-${letter}`), config, { socket });
}

function trials(lab: Lab): readonly Trial[] {
  const cable = new Cable(lab, 'director-a');
  const startA = async ({ b }: Pair): Promise<Pair> => ({ a: await start(lab, 'a'), b });
  const afterwards = (act: (pair: Pair) => Promise<unknown>) => async (pair: Pair) => {
    await act(pair);
    return pair;
  };
  const planned = 'planned stop or switchover';
  return [
    {
      what: 'director switchover, on director-a',
      act: afterwards(({ a }) => a.cli('switchover')),
      master: 'b',
      budget: planned,
    },
    {
      what: 'director switchover, back, on director-b',
      act: afterwards(({ b }) => b.cli('switchover')),
      master: 'a',
      budget: planned,
    },
    {
      what: 'director-a is stopped (SIGTERM)',
      act: afterwards(({ a }) => a.stop()),
      master: 'b',
      budget: planned,
    },
    { what: 'director-a returns and takes over', act: startA, master: 'a', budget: undefined },
    {
      what: 'director-a is killed (SIGKILL)',
      act: afterwards(({ a }) => a.kill()),
      master: 'b',
      budget: 'director process killed',
    },
    { what: 'director-a returns and takes over', act: startA, master: 'a', budget: undefined },
    {
      what: 'director-a is cut off: its cable leads nowhere',
      act: afterwards(() => cable.cut('silent')),
      master: 'b',
      budget: 'master or its link lost',
    },
    {
      what: 'director-a is back on the network: two masters for a moment',
      act: afterwards(() => cable.restore()),
      master: 'a',
      // Neither knows of the other before it hears an advert.
      budget: 'interval',
    },
  ];
}

/** Waits until both addresses are with one of the two; the other may be dead or cut off. */
async function settle(pair: Pair, master: keyof Pair): Promise<void> {
  const other = pair[master === 'a' ? 'b' : 'a'];
  await waitFor(
    `director-${master} to be master`,
    async () => {
      if ((await routersOf(pair[master])).some(({ state }) => state !== 'master')) return false;
      return master === 'b' || (await routersOf(other)).every(({ state }) => state === 'backup');
    },
    { timeout_s: 20, detail: () => pair[master].log().slice(-2000) },
  );
}

async function routersOf(director: Director): Promise<readonly VirtualRouterView[]> {
  const { body } = await director.api('GET', '/v1/status');
  return (body as DirectorStatus).virtualRouters;
}

/** As the backup computes it from its configuration. */
async function budgetOf(backup: Director, entry: string | undefined): Promise<number> {
  if (entry === undefined) return 0;
  const routers = await routersOf(backup);
  if (entry === 'interval') return Math.max(...routers.map(({ advertInterval }) => advertInterval)) / 1000;
  const found = routers.flatMap(({ budget }) => budget.filter(({ what }) => what === entry));
  return Math.max(0, ...found.map(({ longest }) => longest)) / 1000;
}

function report(measured: readonly Measured[]): void {
  say();
  say('   The longest time without an answer, in milliseconds (of 100 requests a second)');
  bars(new Map(measured.map(({ what, outage_ms }, i) => [`${i + 1}. ${what}`, Math.round(outage_ms)])), 30);
  say();
}

/** What `director status` says of virtual routers. */
function routerLines(status: string): string {
  const lines = status.split('\n').filter((line) => /^(virtual router|sync group|timeline| )/.test(line));
  return lines.join('\n');
}

function text(duration_ms: number): string {
  return duration_ms < 1000 ? `${Math.round(duration_ms)} ms` : `${(duration_ms / 1000).toFixed(2)} s`;
}
