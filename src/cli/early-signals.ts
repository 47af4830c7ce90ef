// Loaded before anything else, since a signal may come at any time. USR1 is taken from Node, which would open its debugger
// on a TCP port (Node 20 has no option for it), and a debugger that one has opened meanwhile is closed. A director that is
// starting takes what keepalived takes: nothing is lost by that, for the configuration is read later than this. What comes
// while Node itself starts is kept by scripts/director.

import { close, url } from 'node:inspector';
import { takeRealTimeSignals } from '../runtime/real-time-signals.js';

const nothing = () => {};
process.on('SIGUSR1', nothing);
if (process.argv[2] === 'run') {
  for (const signal of ['SIGHUP', 'SIGUSR2'] as const) process.on(signal, nothing);
  takeRealTimeSignals();
}

// Node opens it a turn after the signal.
const isWanted = [...process.execArgv, process.env.NODE_OPTIONS].some((option) =>
  option?.includes('--inspect'),
);
const closeDebugger = () => {
  if (url() !== undefined) close();
};
if (!isWanted) {
  closeDebugger();
  setImmediate(closeDebugger);
}
