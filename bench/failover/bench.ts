// The failover bench: how long a client is without an answer when the master is stopped, switched over, killed or cut
// off, two uvs directors beside two keepalived. Rounds are interleaved, and each round strikes at another moment
// between two adverts.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { Pair } from './measure.js';
import { pictureOf } from './picture.js';
import { jsonOf, milliseconds, rowsOf, type Sample, tableOf } from './report.js';
import { scenarios, timings } from './scenarios.js';
import { type VariantName, variants } from './variants.js';

export type BenchOptions = {
  readonly rounds: number;
  readonly variants: readonly VariantName[];
  /** Parts of `TIMING, SCENARIO, VARIANT`; empty: all. */
  readonly only: readonly string[];
  readonly onSample: (sample: Sample) => void;
};

const variantNames = Object.keys(variants) as readonly VariantName[];

/** Builds a pair of directors for each timing and variant, strikes, and removes them. */
export async function measureFailover(options: BenchOptions): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (const timing of timings) {
    const names = options.variants.filter((name) =>
      scenarios.some((scenario) => isWanted([timing.name, scenario.name, name].join(', '), options.only)),
    );
    const pairs: (readonly [VariantName, Pair])[] = [];
    try {
      for (const name of names) pairs.push([name, await Pair.start(variants[name], timing)]);
      for (let round = 1; round <= options.rounds; round++) {
        for (const scenario of scenarios) {
          for (const [variant, pair] of pairs) {
            if (!isWanted([timing.name, scenario.name, variant].join(', '), options.only)) continue;
            const outages = await pair.measure(scenario, (round - 0.5) / options.rounds);
            if (outages === undefined) continue;
            const sample = { round, variant, timing: timing.name, scenario: scenario.name, ...outages };
            samples.push(sample);
            options.onSample(sample);
          }
        }
      }
    } finally {
      for (const [, pair] of pairs) await pair.lab.dispose();
    }
  }
  return samples;
}

function isWanted(name: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some((part) => name.includes(part));
}

async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '3' },
      variant: { type: 'string', multiple: true, default: [...variantNames] },
      only: { type: 'string', multiple: true, default: [] },
      json: { type: 'string', default: 'build/bench-failover.json' },
      svg: { type: 'string', default: 'build/bench-failover.svg' },
    },
  });
  const rounds = Number(values.rounds);
  const unknown = values.variant.find((name) => !(name in variants));
  if (!Number.isInteger(rounds) || rounds < 1 || unknown !== undefined) {
    console.error(`--rounds is a whole number from 1; --variant one of ${variantNames.join(', ')}`);
    return 2;
  }
  const samples = await measureFailover({
    rounds,
    variants: values.variant as VariantName[],
    only: values.only,
    onSample: ({ round, timing, scenario, variant, takeover, comeback }) =>
      console.log(
        `round ${round}: ${timing}: ${scenario}, ${variant}: ${milliseconds(takeover.gapMicros / 1000)} ms, return ${milliseconds(comeback.gapMicros / 1000)} ms`,
      ),
  });
  const rows = rowsOf(samples);
  console.log(tableOf(rows));
  for (const file of [values.json, values.svg]) mkdirSync(dirname(file), { recursive: true });
  writeFileSync(values.json, jsonOf(samples, { rounds }));
  writeFileSync(values.svg, pictureOf(rows));
  const latest = Math.max(...samples.map((sample) => sample.takeover.lateMicros));
  console.log(
    `\nmedian (shortest–longest) of ${rounds} rounds; the client itself was late by ${milliseconds(latest / 1000)} ms at most.`,
  );
  console.log(
    'A killed keepalived leaves its addresses, and its kernel goes on answering: two machines have them then.',
  );
  console.log(`${values.json} has every sample, ${values.svg} is a picture.`);
  return 0;
}

export const failoverBench = {
  about:
    'outage when the master stops, dies or is cut off, beside keepalived [--rounds 3] [--variant NAME] [--only PART] [--json FILE] [--svg FILE]',
  run,
};
