// Signals as calls: HUP reloads, TERM and INT stop, a second one of them gives up waiting, USR1 and USR2 write dumps.

export type SignalHandlers = {
  readonly reload: () => void;
  /** USR1: data, USR2: statistics. */
  readonly dump: (kind: 'data' | 'stats') => void;
  readonly stop: (signal: string) => void;
  /** A second INT or TERM while stopping. */
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
    handlers.stop(signal);
  };
  const listeners = [
    ['SIGHUP', onHup],
    ['SIGUSR1', onData],
    ['SIGUSR2', onStats],
    ['SIGTERM', onStop],
    ['SIGINT', onStop],
  ] as const;
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}
