// Signals as calls, the same as keepalived's: HUP reloads, TERM and INT stop, a second one of them gives up waiting; USR1,
// USR2 and the real-time signals of keepalived write dumps. QUIT, which keepalived has no use for, stops for a restart.

import type { DumpKind } from './dumps/dump.js';
import { onRealTimeSignal } from './real-time-signals.js';

export type SignalHandlers = {
  readonly reload: () => void;
  /** USR1: data, USR2 and STATS_CLEAR: statistics, JSON: as that. */
  readonly dump: (kind: DumpKind) => void;
  /** A signal of keepalived's that has no effect here; `what` says so. */
  readonly ignore: (what: string) => void;
  readonly stop: (signal: string, isRestart: boolean) => void;
  /** A second one of these while stopping. */
  readonly force: () => void;
};

/** Returns what takes the handlers off again. */
export function listenForSignals(handlers: SignalHandlers): () => void {
  let isStopping = false;
  const onHup = () => handlers.reload();
  const onData = () => handlers.dump('data');
  const onStats = () => handlers.dump('stats');
  const onStop = (signal: NodeJS.Signals) => {
    if (isStopping) return handlers.force();
    isStopping = true;
    handlers.stop(signal, signal === 'SIGQUIT');
  };
  const listeners = [
    ['SIGHUP', onHup],
    ['SIGUSR1', onData],
    ['SIGUSR2', onStats],
    ['SIGTERM', onStop],
    ['SIGINT', onStop],
    ['SIGQUIT', onStop],
  ] as const;
  for (const [signal, listener] of listeners) process.on(signal, listener);
  const stopRealTime = onRealTimeSignal((signal) => {
    if (signal === 'json') return handlers.dump('json');
    if (signal === 'threads') return handlers.ignore('there are no threads to list');
    handlers.ignore('counters go on, as Prometheus needs them to');
    handlers.dump('stats');
  });
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
    stopRealTime();
  };
}
