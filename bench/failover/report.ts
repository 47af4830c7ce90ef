// The bench's results as a table for people and as JSON for machines: medians of the rounds, and between what they lay.

import { cpus, release } from 'node:os';
import type { Outage } from '../../test/support/lab/index.js';
import { median } from '../statistics.js';
import type { VariantName } from './variants.js';

export type Sample = {
  readonly round: number;
  readonly variant: VariantName;
  readonly timing: string;
  readonly scenario: string;
  readonly takeover: Outage;
  readonly comeback: Outage;
};

export type Row = {
  readonly timing: string;
  readonly scenario: string;
  readonly variant: VariantName;
  /** Outages of the rounds in milliseconds, shortest first. */
  readonly takeover_ms: readonly number[];
  readonly comeback_ms: readonly number[];
  /** Of all rounds together. */
  readonly failures: number;
};

export function rowsOf(samples: readonly Sample[]): readonly Row[] {
  const rows = new Map<string, Row>();
  for (const { timing, scenario, variant } of samples) {
    const own = samples.filter(
      (sample) => sample.timing === timing && sample.scenario === scenario && sample.variant === variant,
    );
    const gaps = (of: (sample: Sample) => Outage) =>
      own.map((sample) => of(sample).gapMicros / 1000).sort((a, b) => a - b);
    rows.set(`${timing} ${scenario} ${variant}`, {
      timing,
      scenario,
      variant,
      takeover_ms: gaps((sample) => sample.takeover),
      comeback_ms: gaps((sample) => sample.comeback),
      failures: own.reduce((sum, sample) => sum + failed(sample.takeover), 0),
    });
  }
  return [...rows.values()];
}

function failed(outage: Outage): number {
  return Object.values(outage.failures).reduce((sum, count) => sum + count, 0);
}

export function tableOf(rows: readonly Row[]): string {
  const lines: string[] = [];
  let timing = '';
  for (const row of rows) {
    if (row.timing !== timing) {
      timing = row.timing;
      lines.push('', `${timing.padEnd(34)}outage of the takeover           of the return      requests lost`);
    }
    lines.push(
      `  ${row.scenario.padEnd(16)}${row.variant.padEnd(12)}${cell(row.takeover_ms)}   ${cell(row.comeback_ms)}${String(row.failures).padStart(10)}`,
    );
  }
  return lines.join('\n');
}

/** Median, and between what. */
function cell(values: readonly number[]): string {
  const [low = Number.NaN, high = Number.NaN] = [values[0], values.at(-1)];
  return `${milliseconds(median(values)).padStart(8)} ms (${milliseconds(low)}–${milliseconds(high)})`.padEnd(
    30,
  );
}

export function milliseconds(value: number): string {
  return value.toFixed(value < 100 ? 1 : 0);
}

export function jsonOf(samples: readonly Sample[], options: Readonly<Record<string, unknown>>): string {
  const [cpu] = cpus();
  const machine = { kernel: release(), cpus: cpus().length, model: cpu?.model ?? '' };
  return `${JSON.stringify({ bench: 'failover', machine, options, summary: rowsOf(samples), samples }, undefined, 1)}\n`;
}
