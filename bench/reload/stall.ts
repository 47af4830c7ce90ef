// How long a reload holds up the event loop: the longest single turn while thousands of servers are read, compared,
// reconciled and published. Whatever waits on the loop (a probe's answer, an advert) is late by as much.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { MemoryDataplane } from '../../src/dataplane/memory.js';
import { createNativeDataplane } from '../../src/dataplane/native.js';
import type { Dataplane } from '../../src/dataplane/port.js';
import type { ProbeResult } from '../../src/health/checker.js';
import { createDirector } from '../../src/runtime/create-director.js';
import { preferShortPauses } from '../../src/runtime/short-pauses.js';
import { median } from '../statistics.js';

export type StallOptions = {
  readonly services: number;
  /** Of each service. */
  readonly servers: number;
  readonly rounds: number;
  readonly dataplane: 'memory' | 'native';
  readonly onStep: (step: Step) => void;
};

/** One thing that was done, how long it took in all, and the longest turn of the event loop meanwhile. */
export type Step = {
  readonly name: string;
  readonly took_ms: number;
  readonly stall_ms: number;
  /** The turn that used the CPU longest: what remains of the stall on a machine that has nothing else to do. */
  readonly busy_ms: number;
};

export async function measureStall(options: StallOptions): Promise<readonly Step[]> {
  const steps: Step[] = [];
  const step = async (name: string, action: () => Promise<unknown>) => {
    const done = await longestTurn(name, action);
    steps.push(done);
    options.onStep(done);
  };
  const text = (weight: number, servers = options.servers) => configText(options.services, servers, weight);
  const texts = { first: text(1), weights: text(2), less: text(2, options.servers - 1) };
  let isFailing = false;
  const director = createDirector(
    { configText: texts.first },
    {
      dataplane: createDataplane(options.dataplane),
      probes: { tcp: (_policy, onResult) => answerSoon(onResult, () => isFailing) },
    },
  );
  preferShortPauses();
  await step('start', () => director.start());
  try {
    for (let round = 0; round < options.rounds; round++) {
      await step('nothing new', () => director.reload({ configText: texts.first }));
      await step('all weights', () => director.reload({ configText: texts.weights }));
      await step('a server less', () => director.reload({ configText: texts.less }));
      await step('a server more', () => director.reload({ configText: texts.first }));
      await step('status', async () => director.status());
      await step('services', () => director.services());
    }
    const liveCount = async (wanted: number) => {
      while (director.status().servers.live !== wanted)
        await new Promise((resolve) => setTimeout(resolve, 20));
    };
    isFailing = true;
    await step('all fail', () => liveCount(0));
    isFailing = false;
    await step('all come back', () => liveCount(options.services * options.servers));
    const service = { kind: 'endpoint', protocol: 'tcp', address: '10.0.0.0', port: 80 } as const;
    const added = Math.min(10_000, options.services * options.servers);
    const additions = Array.from({ length: added }, (_, i) => ({
      kind: 'add-server' as const,
      service,
      server: { address: `10.200.${i >> 8}.${i & 255}`, port: 80 },
    }));
    await step('add servers', () => director.apply(additions));
  } finally {
    await step('stop', () => director.stop());
  }
  return steps;
}

const columnNames = ['took ms', 'stall ms', 'worst', 'busy ms', 'worst'];

/** A row a step: medians and worsts of its rounds. */
export function stallTable(steps: readonly Step[]): string {
  const names = [...new Set(steps.map(({ name }) => name))];
  const rows = names.map((name) => {
    const same = steps.filter((step) => step.name === name);
    const column = (read: (step: Step) => number) => same.map(read);
    const cells = [
      median(column(({ took_ms }) => took_ms)),
      median(column(({ stall_ms }) => stall_ms)),
      Math.max(...column(({ stall_ms }) => stall_ms)),
      median(column(({ busy_ms }) => busy_ms)),
      Math.max(...column(({ busy_ms }) => busy_ms)),
    ];
    return `${name.padEnd(16)}${cells.map((value) => value.toFixed(1).padStart(12)).join('')}`;
  });
  const head = `${'step'.padEnd(16)}${columnNames.map((name) => name.padStart(12)).join('')}`;
  return `${[head, ...rows].join('\n')}\n`;
}

export const stallBench = {
  about:
    'how long reloads, failures and changes hold up the event loop (--services 1000 --servers 10 --rounds 5 --dataplane memory|native)',
  run: async (args: readonly string[]): Promise<number> => {
    const { values } = parseArgs({
      args: [...args],
      options: {
        services: { type: 'string', default: '1000' },
        servers: { type: 'string', default: '10' },
        rounds: { type: 'string', default: '5' },
        dataplane: { type: 'string', default: 'memory' },
      },
    });
    const steps = await measureStall({
      services: Number(values.services),
      servers: Number(values.servers),
      rounds: Number(values.rounds),
      dataplane: values.dataplane === 'native' ? 'native' : 'memory',
      onStep: () => {},
    });
    process.stdout.write(stallTable(steps));
    return 0;
  },
};

async function longestTurn(name: string, action: () => Promise<unknown>): Promise<Step> {
  let last = performance.now();
  let lastBusy = busyTime_ms();
  let stall_ms = 0;
  let busy_ms = 0;
  let isDone = false;
  const turn = () => {
    const now = performance.now();
    const busy = busyTime_ms();
    stall_ms = Math.max(stall_ms, now - last);
    busy_ms = Math.max(busy_ms, busy - lastBusy);
    last = now;
    lastBusy = busy;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const since = performance.now();
  await action();
  const took_ms = performance.now() - since;
  isDone = true;
  turn();
  return { name, took_ms, stall_ms, busy_ms };
}

/** CPU time of this thread. */
function busyTime_ms(): number {
  return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e6;
}

function createDataplane(kind: StallOptions['dataplane']): Dataplane {
  return kind === 'native' ? createNativeDataplane() : new MemoryDataplane();
}

function answerSoon(onResult: (result: ProbeResult) => void, isFailing: () => boolean): { cancel(): void } {
  const immediate = setImmediate(() =>
    onResult(isFailing() ? { kind: 'failed', reason: 'connection refused' } : { kind: 'passed' }),
  );
  return { cancel: () => clearImmediate(immediate) };
}

function configText(services: number, servers: number, weight: number): string {
  const blocks: string[] = [];
  for (let s = 0; s < services; s++) {
    const realServers = Array.from(
      { length: servers },
      (_, i) => `
  real_server 10.${1 + (s >> 8) + (i >> 8)}.${s & 255}.${i & 255} 80 {
    weight ${weight}
    TCP_CHECK {
      connect_timeout 3
      retry 1
      delay_before_retry 0
    }
  }`,
    );
    blocks.push(
      `virtual_server 10.0.${s >> 8}.${s & 255} 80 {\n  lvs_sched wrr\n  lvs_method NAT\n  protocol TCP\n  delay_loop 1${realServers.join('')}\n}\n`,
    );
  }
  return blocks.join('');
}
