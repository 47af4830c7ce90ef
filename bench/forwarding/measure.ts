// One measurement of one variant: bulk TCP by iperf3, new connections and small requests by wrk,
// and what the director's threads spent on it.

import { readdirSync, readFileSync } from 'node:fs';
import { iperf, urlOf } from '../../test/support/lab/index.js';
import type { Variant } from './variants.js';

export type Metric = {
  readonly name: string;
  readonly unit: string;
  readonly measure: (variant: Variant, seconds: number) => Promise<number>;
};

const gigabits = (bitsPerSecond: number) => bitsPerSecond / 1e9;

export const metrics: readonly Metric[] = [
  {
    name: 'TCP up, 1 stream',
    unit: 'Gbit/s',
    measure: async ({ client, target }, seconds) =>
      gigabits((await iperf(client, target, { seconds })).bitsPerSecond),
  },
  {
    name: 'TCP up, 4 streams',
    unit: 'Gbit/s',
    measure: async ({ client, target }, seconds) =>
      gigabits((await iperf(client, target, { seconds, streams: 4 })).bitsPerSecond),
  },
  {
    name: 'TCP down, 1 stream',
    unit: 'Gbit/s',
    measure: async ({ client, target }, seconds) =>
      gigabits((await iperf(client, target, { seconds, reverse: true })).bitsPerSecond),
  },
  {
    name: 'new connections (HTTP, connection: close)',
    unit: '1/s',
    measure: (variant, seconds) => wrk(variant, seconds, ['-H', 'Connection: close']),
  },
  {
    name: 'small requests (HTTP, keep-alive)',
    unit: '1/s',
    measure: (variant, seconds) => wrk(variant, seconds, []),
  },
];

async function wrk(variant: Variant, seconds: number, options: readonly string[]): Promise<number> {
  const { client, target } = variant;
  const output = await client.exec(['wrk', '-t1', '-c16', `-d${seconds}s`, ...options, urlOf(target)], {
    timeout_s: seconds + 30,
  });
  const errors = /Socket errors: (.*)|Non-2xx or 3xx responses: (.*)/.exec(output);
  if (errors !== null) throw new Error(`${variant.name}: wrk: ${errors[0]}`);
  return Number(/Requests\/sec: +([\d.]+)/.exec(output)?.[1] ?? Number.NaN);
}

/** Packets and processor time of a director so far. */
export type Effort = { readonly packets: number; readonly cpuNanos: number };

export async function effortOf(variant: Variant): Promise<Effort | undefined> {
  const { director } = variant;
  if (director === undefined) return undefined;
  const { body } = await director.api('GET', '/v1/status');
  const { verdicts } = (body as { dataplane: { verdicts: Record<string, string> } }).dataplane;
  const packets = ['forward', 'answer', 'toHost', 'drop'].reduce(
    (sum, name) => sum + Number(verdicts[name]),
    0,
  );
  return { packets, cpuNanos: cpuNanosOf(director.process.pid) };
}

/** Time on a processor of all threads of a process (first field of schedstat). */
function cpuNanosOf(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks)
    .map((thread) => Number(readFileSync(`${tasks}/${thread}/schedstat`, 'utf8').split(' ')[0]))
    .reduce((sum, nanos) => sum + nanos, 0);
}
