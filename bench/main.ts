// `npm run bench -- NAME [options]`: the benches by name, each with its own options. Without a name it lists them.
// Benches that need namespaces need root.

import { disturbanceBench } from './disturbance/bench.js';
import { failoverBench } from './failover/bench.js';
import { forwardingBench } from './forwarding/bench.js';
import { idleBench } from './idle/bench.js';
import { publishBench } from './publish/latency.js';
import { stallBench } from './reload/stall.js';

type Bench = { readonly about: string; readonly run: (args: readonly string[]) => Promise<number> };

const benches: Readonly<Record<string, Bench>> = {
  disturbance: disturbanceBench,
  failover: failoverBench,
  forwarding: forwardingBench,
  idle: idleBench,
  publish: publishBench,
  reload: stallBench,
};

const [name, ...args] = process.argv.slice(2);
const bench = name === undefined ? undefined : benches[name];
if (bench === undefined) {
  console.log('usage: npm run bench -- NAME [options]');
  for (const [known, { about }] of Object.entries(benches)) console.log(`  ${known.padEnd(12)} ${about}`);
  process.exitCode = name === undefined || name === '--help' || name === '-h' ? 0 : 2;
} else {
  process.exitCode = await bench.run(args);
}
