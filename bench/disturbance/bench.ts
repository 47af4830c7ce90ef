// The disturbance bench: long connections through one director while it stands still, is restarted, loses its devices'
// state or the offloads of its NICs. What broke, what was misdirected, and how long the longest answer took.

import { parseArgs } from 'node:util';
import {
  Dialogue,
  type DirectorOptions,
  type Endurance,
  Lab,
  nowMicros,
  vip,
  vip6,
} from '../../test/support/lab/index.js';
import { disturbances } from './disturbances.js';
import { modes, Scene } from './scene.js';

export type DisturbanceOptions = {
  readonly connections: number;
  /** How often each sends a message; default 100 ms. */
  readonly every_ms?: number;
  /** Parts of `METHOD FAMILY, DISTURBANCE`; empty: all. */
  readonly only: readonly string[];
  /** How the director is started. */
  readonly director?: DirectorOptions;
  readonly onResult: (result: Result) => void;
};

export type Result = Endurance & {
  readonly what: string;
  readonly connections: number;
  /** The longest wait for an answer from the moment of the disturbance on. */
  readonly longestWait_ms: number;
};

const port = 7000;
const families = { IPv4: vip, IPv6: vip6 } as const;

/** A director and servers for each forwarding method, each disturbance with connections of its own. */
export async function measureDisturbances(options: DisturbanceOptions): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const mode of modes) {
    const wanted = Object.entries(families).flatMap(([family, address]) =>
      disturbances
        .map((disturbance) => ({
          what: `${mode.method} ${family}, ${disturbance.name}`,
          address,
          disturbance,
        }))
        .filter(({ what }) => options.only.length === 0 || options.only.some((part) => what.includes(part))),
    );
    if (wanted.length === 0) continue;
    await using lab = await Lab.create(mode.topology);
    const scene = await Scene.start(lab, mode, Object.values(families), port, options.director);
    for (const { what, address, disturbance } of wanted) {
      const dialogue = await Dialogue.start(lab.host('client'), address, port, {
        count: options.connections,
        ...(options.every_ms === undefined ? {} : { every_ms: options.every_ms }),
      });
      const before = dialogue.reports;
      await disturbance.strike(scene, dialogue);
      await dialogue.waitForAll(nowMicros(), 120);
      const result = {
        ...dialogue.endurance(),
        what,
        connections: options.connections,
        longestWait_ms: dialogue.longestWait(before) / 1000,
      };
      await dialogue.stop();
      results.push(result);
      options.onResult(result);
    }
  }
  return results;
}

/** A line for each result. */
export function lineOf({ what, connections, open, broken, answered, longestWait_ms }: Result): string {
  const misdirected = (broken.misdirected ?? 0) + (broken.garbled ?? 0);
  const reset = broken.reset ?? 0;
  const lost = connections - open - misdirected - reset;
  return `${what.padEnd(44)}${[lost, reset, misdirected, answered, Math.round(longestWait_ms)]
    .map((value) => String(value).padStart(12))
    .join('')}`;
}

export const headLine = `${'of all connections'.padEnd(44)}${[
  'lost',
  'reset',
  'misdirected',
  'answers',
  'longest ms',
]
  .map((name) => name.padStart(12))
  .join('')}`;

async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      connections: { type: 'string', default: '1000' },
      only: { type: 'string', multiple: true, default: [] },
    },
  });
  const connections = Number(values.connections);
  if (!Number.isInteger(connections) || connections < 1 || connections > 20_000) {
    console.error('--connections is a whole number from 1 to 20000');
    return 2;
  }
  console.log(headLine);
  const results = await measureDisturbances({
    connections,
    only: values.only,
    onResult: (result) => console.log(lineOf(result)),
  });
  return results.every(({ open }) => open === connections) ? 0 : 1;
}

export const disturbanceBench = {
  about:
    'long connections over stalls, restarts, devices down, offloads off [--connections 1000] [--only PART]',
  run,
};
