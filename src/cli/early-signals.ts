// Loaded before anything else, since a signal may come at any time. USR1 is taken from Node, which would open its debugger
// on a TCP port (Node 20 has no option for it). A director that is starting takes what keepalived takes: nothing is lost
// by that, for the configuration is read later than this.

import { takeRealTimeSignals } from '../runtime/real-time-signals.js';

const nothing = () => {};
process.on('SIGUSR1', nothing);
if (process.argv[2] === 'run') {
  for (const signal of ['SIGHUP', 'SIGUSR2'] as const) process.on(signal, nothing);
  takeRealTimeSignals();
}
