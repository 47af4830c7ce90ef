// Many seeds in a row; the first that fails is run again with its log.
import { simulate } from './simulation.js';

/** Violations with their seeds; empty when all is well. The log of the first failing seed goes to the console. */
export function runSeeds(from: number, count: number): string[] {
  const found: string[] = [];
  for (let seed = from; seed < from + count; seed++) {
    const { violations } = simulate(seed);
    if (violations.length === 0) continue;
    if (found.length === 0) console.log(simulate(seed, undefined, true).log.join('\n'));
    found.push(
      ...violations.map(
        (violation) => `seed ${seed}: ${violation}; npm run sim -- --from ${seed} --seeds 1 --log`,
      ),
    );
  }
  return found;
}
