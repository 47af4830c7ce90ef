// The forwarding bench: the director's NAT and DR beside the kernel's plain routing and nft DNAT, in rounds that are
// interleaved (A B C D A B C D), so that a machine's moods meet all of them alike. Load is bounded in time.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { effortOf, metrics } from './measure.js';
import { jsonOf, rowsOf, type Sample, tableOf } from './report.js';
import { builders, type Variant, type VariantName } from './variants.js';

export type BenchOptions = {
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
  readonly variants: readonly VariantName[];
  /** Parts of the names of the metrics to measure; empty: all. */
  readonly only: readonly string[];
  readonly onSample: (sample: Sample) => void;
};

const variantNames = Object.keys(builders) as readonly VariantName[];

/** Builds the networks, measures, removes them. */
export async function measureForwarding(options: BenchOptions): Promise<readonly Sample[]> {
  const variants: Variant[] = [];
  const samples: Sample[] = [];
  try {
    for (const name of options.variants) variants.push(await builders[name]());
    for (let round = 1; round <= options.rounds; round++) {
      for (const metric of metrics.filter(({ name }) => isWanted(name, options.only))) {
        for (const variant of variants) {
          const before = await effortOf(variant);
          const value = await metric.measure(variant, options.seconds);
          const after = await effortOf(variant);
          const packets = (after?.packets ?? 0) - (before?.packets ?? 0);
          const nanos = (after?.cpuNanos ?? 0) - (before?.cpuNanos ?? 0);
          const sample: Sample = {
            round,
            variant: variant.name,
            metric: metric.name,
            unit: metric.unit,
            value,
            ...(packets > 0 ? { nanosPerPacket: nanos / packets } : {}),
          };
          samples.push(sample);
          options.onSample(sample);
        }
      }
    }
    return samples;
  } finally {
    for (const variant of variants) await variant.lab.dispose();
  }
}

function isWanted(name: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some((part) => name.includes(part));
}

async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      only: { type: 'string', multiple: true, default: [] },
      json: { type: 'string', default: 'build/bench-forwarding.json' },
    },
  });
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  if (!Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(seconds) || seconds < 1 || seconds > 60) {
    console.error('--rounds and --seconds are whole numbers from 1 (seconds: to 60)');
    return 2;
  }
  const samples = await measureForwarding({
    rounds,
    seconds,
    variants: variantNames,
    only: values.only,
    onSample: (sample) =>
      console.log(
        `round ${sample.round}: ${sample.variant.padEnd(14)} ${sample.metric}: ${sample.value.toFixed(2)} ${sample.unit}`,
      ),
  });
  console.log(tableOf(rowsOf(samples)));
  mkdirSync(dirname(values.json), { recursive: true });
  writeFileSync(values.json, jsonOf(samples, { rounds, seconds }));
  console.log(
    `\n${values.json} has every sample. ns/packet: time of the director’s threads by packets that its worker got.`,
  );
  return 0;
}

export const forwardingBench = {
  about:
    'NAT and DR beside plain routing and nft DNAT [--rounds 3] [--seconds 5] [--only NAME] [--json FILE]',
  run,
};
