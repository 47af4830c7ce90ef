// keepalived's real-time signals, which Node can't take and which would end the process: the addon writes their numbers
// into a pipe (addon/host/signal_pipe.h). The numbers are those that `keepalived --signum=…` prints.

import { Socket } from 'node:net';
import { loadNative } from '../dataplane/native-module.js';

export const realTimeSignals = {
  /** The state of the virtual routers as JSON. */
  36: 'json',
  /** The counters, and back to 0. */
  63: 'clear-stats',
  /** Debug builds of keepalived: its threads. */
  64: 'threads',
} as const satisfies Readonly<Record<number, string>>;

const firstRealTime = 34;
const lastRealTime = 64;

/**
 * What else would end the process and does not end keepalived: ALRM, STKFLT, VTALRM, PROF, IO, PWR, all real-time ones. Not
 * taken are those that tell of a fault of the process itself or of a limit.
 */
const taken = [
  ...[14, 16, 26, 27, 29, 30],
  ...Array.from({ length: lastRealTime - firstRealTime + 1 }, (_, i) => firstRealTime + i),
];

export type RealTimeSignal = (typeof realTimeSignals)[keyof typeof realTimeSignals];

let pipe: Socket | undefined;

/** From now on none of them ends the process; until somebody listens they do nothing. Without the addon all is as before. */
export function takeRealTimeSignals(): Socket | undefined {
  if (pipe !== undefined) return pipe;
  try {
    const fd = loadNative().takeSignals(taken);
    pipe = new Socket({ fd, readable: true, writable: false });
    pipe.on('error', () => {});
    pipe.unref();
    pipe.resume();
  } catch {
    // `director check` and the like work without the addon.
  }
  return pipe;
}

/** Returns what stops listening. */
export function onRealTimeSignal(listener: (signal: RealTimeSignal) => void): () => void {
  const source = takeRealTimeSignals();
  const onBytes = (numbers: Buffer) => {
    for (const number of numbers) {
      const signal = (realTimeSignals as Readonly<Record<number, RealTimeSignal>>)[number];
      if (signal !== undefined) listener(signal);
    }
  };
  source?.on('data', onBytes);
  return () => {
    source?.off('data', onBytes);
  };
}
