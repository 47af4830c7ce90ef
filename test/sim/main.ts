// npm run sim -- --seeds N --from S [--log]: any number of seeds. A failing seed is run again and its log printed.
import { parseArgs } from 'node:util';
import { simulate } from './simulation.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '500' },
    from: { type: 'string', default: '1' },
    log: { type: 'boolean', default: false },
  },
});
const count = Number(values.seeds);
const from = Number(values.from);
const failed: number[] = [];
let steps = 0;
let transitions = 0;
const war = { flips: 0, lost: 0 };

for (let seed = from; seed < from + count; seed++) {
  const result = simulate(seed, undefined, values.log);
  steps += result.steps;
  transitions += result.transitions;
  war.flips += result.war.flips;
  war.lost += result.war.lost;
  if (values.log) console.log(result.log.join('\n'));
  if (result.violations.length === 0) continue;
  failed.push(seed);
  if (failed.length > 3) continue;
  if (!values.log) console.log(simulate(seed, undefined, true).log.join('\n'));
  console.log(`seed ${seed} failed:\n  ${result.violations.join('\n  ')}`);
}

console.log(
  `${count} seeds from ${from}: ${failed.length} failed, ${steps} steps, ${transitions} transitions`,
);
const perFlip = war.flips === 0 ? 0 : war.lost / war.flips;
console.log(
  `masters behind firewalls: ${war.flips} flips of the hosts, ${war.lost} connections lost, ${perFlip.toFixed(1)} a flip`,
);
if (failed.length > 0) {
  console.log(`failed: ${failed.slice(0, 50).join(' ')}`);
  console.log(`again: npm run sim -- --from ${failed[0]} --seeds 1 --log`);
  process.exitCode = 1;
}
