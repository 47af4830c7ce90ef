// The bench's results as a table for people and as JSON for machines: medians of the rounds with their spread,
// and ratios to plain routing and to nft DNAT of the same run.

import { cpus, release } from 'node:os';
import { median, spread } from '../statistics.js';
import type { VariantName } from './variants.js';

export type Sample = {
  readonly round: number;
  readonly variant: VariantName;
  readonly metric: string;
  readonly unit: string;
  readonly value: number;
  /** Of the director's threads, for each packet that its worker got; only for the director's own variants. */
  readonly nanosPerPacket?: number;
};

export type Row = {
  readonly metric: string;
  readonly unit: string;
  readonly variant: VariantName;
  readonly median: number;
  readonly spread: number;
  readonly toRouting: number;
  readonly toDnat: number;
  readonly nanosPerPacket: number | undefined;
};

export function rowsOf(samples: readonly Sample[]): readonly Row[] {
  const rows: Row[] = [];
  for (const metric of new Set(samples.map((sample) => sample.metric))) {
    const of = samples.filter((sample) => sample.metric === metric);
    const medianOf = (variant: VariantName) =>
      median(of.filter((sample) => sample.variant === variant).map((sample) => sample.value));
    for (const variant of new Set(of.map((sample) => sample.variant))) {
      const own = of.filter((sample) => sample.variant === variant);
      const values = own.map((sample) => sample.value);
      const costs = own.flatMap((sample) => sample.nanosPerPacket ?? []);
      rows.push({
        metric,
        unit: own[0]?.unit ?? '',
        variant,
        median: median(values),
        spread: spread(values),
        toRouting: median(values) / medianOf('plain routing'),
        toDnat: median(values) / medianOf('nft DNAT'),
        nanosPerPacket: costs.length === 0 ? undefined : median(costs),
      });
    }
  }
  return rows;
}

export function tableOf(rows: readonly Row[]): string {
  const lines: string[] = [];
  let metric = '';
  for (const row of rows) {
    if (row.metric !== metric) {
      metric = row.metric;
      const title = `${metric} [${row.unit}]`.padEnd(48);
      lines.push('', `${title}median  spread  /routing  /DNAT  ns/packet`);
    }
    lines.push(
      `  ${row.variant.padEnd(42)}`.slice(0, 44) +
        number(row.median).padStart(10) +
        `${(row.spread * 100).toFixed(0)} %`.padStart(8) +
        row.toRouting.toFixed(2).padStart(10) +
        row.toDnat.toFixed(2).padStart(7) +
        (row.nanosPerPacket === undefined ? '' : row.nanosPerPacket.toFixed(0).padStart(11)),
    );
  }
  return lines.join('\n');
}

function number(value: number): string {
  return value >= 1000 ? value.toFixed(0) : value.toFixed(2);
}

export function jsonOf(samples: readonly Sample[], options: Readonly<Record<string, unknown>>): string {
  const [cpu] = cpus();
  const machine = { kernel: release(), cpus: cpus().length, model: cpu?.model ?? '' };
  return `${JSON.stringify({ bench: 'forwarding', machine, options, summary: rowsOf(samples), samples }, undefined, 1)}\n`;
}
