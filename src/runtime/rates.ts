// Rates as IPVS estimates them: every two seconds each rate moves a quarter of the way to what was just measured.
// Pure arithmetic over counters; whoever calls `sampleRates` keeps the two seconds.

import type { Traffic } from '../dataplane/port.js';

/** Whole numbers per second, rounded as IPVS rounds them. */
export type Rates = {
  readonly connections: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
};

export const noRates: Rates = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 };

/** Seconds between two samples. */
export const samplePeriod_s = 2;

const names = ['connections', 'inPackets', 'outPackets', 'inBytes', 'outBytes'] as const;

/** The kernel's fixed-point numbers round up from just above half: 1/1024 steps for counts, 1/32 steps for bytes. */
const roundingOf = {
  connections: 511 / 1024,
  inPackets: 511 / 1024,
  outPackets: 511 / 1024,
  inBytes: 15 / 32,
  outBytes: 15 / 32,
} as const;

/** What an estimator remembers: the last counters and the unrounded rates. */
export type RateEstimate = { readonly last: Traffic; readonly perSecond: Rates };

/** An estimate that has seen `now` and no time pass: rates start at 0. */
export function startRates(now: Traffic): RateEstimate {
  return { last: now, perSecond: noRates };
}

/** The estimate a period later. Counters that went back (they were zeroed, or the row is a new one) count from 0. */
export function sampleRates(estimate: RateEstimate, now: Traffic): RateEstimate {
  const { last, perSecond } = estimate;
  const next = (name: (typeof names)[number]): number => {
    const grown = now[name] >= last[name] ? now[name] - last[name] : now[name];
    const old = perSecond[name];
    return old === 0 && grown === 0n ? 0 : old + (Number(grown) / samplePeriod_s - old) / 4;
  };
  return {
    last: now,
    perSecond: {
      connections: next('connections'),
      inPackets: next('inPackets'),
      outPackets: next('outPackets'),
      inBytes: next('inBytes'),
      outBytes: next('outBytes'),
    },
  };
}

/** The rates for people. */
export function readRates({ perSecond }: RateEstimate): Rates {
  const rounded = (name: (typeof names)[number]) => Math.floor(perSecond[name] + roundingOf[name]);
  return {
    connections: rounded('connections'),
    inPackets: rounded('inPackets'),
    outPackets: rounded('outPackets'),
    inBytes: rounded('inBytes'),
    outBytes: rounded('outBytes'),
  };
}
