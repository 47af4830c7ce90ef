// Signals as calls: HUP reloads, TERM and INT stop, a second INT gives up waiting.

export type SignalHandlers = {
  readonly reload: () => void;
  readonly stop: (signal: string) => void;
  /** A second INT or TERM while stopping. */
  readonly force: () => void;
};

/** Returns what takes the handlers off again. */
export function listenForSignals(handlers: SignalHandlers): () => void {
  let isStopping = false;
  const onHup = () => handlers.reload();
  const onStop = (signal: NodeJS.Signals) => {
    if (isStopping) return handlers.force();
    isStopping = true;
    handlers.stop(signal);
  };
  process.on('SIGHUP', onHup).on('SIGTERM', onStop).on('SIGINT', onStop);
  return () => {
    process.off('SIGHUP', onHup).off('SIGTERM', onStop).off('SIGINT', onStop);
  };
}
