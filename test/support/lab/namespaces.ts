// Names of the lab's namespaces, and how those of dead runs are found and removed.
// A name says who owns it: `uvs-<pid>-<start time>-<n>-client`; the start time guards against a pid that was given again.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './process.js';

const netnsDir = '/run/netns';
const runName = /^(uvs-(\d+)-([0-9a-z]+)-\d+-)/;
let runCount = 0;

/** A prefix for a new run of this process; ends in `-`. */
export function newRunPrefix(): string {
  runCount += 1;
  return `uvs-${process.pid}-${startTime(process.pid) ?? '0'}-${runCount}-`;
}

/** Folder for a run's files: removed together with its namespaces. */
export function runDir(prefix: string): string {
  return join(tmpdir(), prefix.replace(/-$/, ''));
}

/** When a process started, in clock ticks after boot; undefined when there is no such process. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[19]).toString(36);
  } catch {
    return undefined;
  }
}

/** Names of all network namespaces whose name begins with `prefix`. */
export function namespacesOf(prefix: string): readonly string[] {
  return existsSync(netnsDir) ? readdirSync(netnsDir).filter((name) => name.startsWith(prefix)) : [];
}

// $1 is the prefix, $2 the folder. Only processes inside our namespaces are ended, by their ids.
const sweepScript = `
for path in ${netnsDir}/"$1"*; do
  [ -e "$path" ] || continue
  name=\${path##*/}
  pids=$(ip netns pids "$name" 2>/dev/null)
  [ -n "$pids" ] && kill -9 $pids 2>/dev/null
  ip netns del "$name" 2>/dev/null
done
rm -rf "$2"
`;

/** Removes the namespaces with that prefix, the processes inside them and the run's folder. Ok when nothing is there. */
export async function sweep(prefix: string): Promise<void> {
  if (!/^uvs-[a-z0-9-]+-$/.test(prefix)) throw new Error(`not a prefix of ours: ${prefix}`);
  await run(['sh', '-c', sweepScript, 'sweep', prefix, runDir(prefix)]);
}

/** Removes what runs left behind whose owner is dead. Gives their prefixes. */
export async function reapDeadRuns(): Promise<readonly string[]> {
  const names = [...namespacesOf('uvs-'), ...readdirSync(tmpdir()).map((name) => `${name}-`)];
  const dead = new Set<string>();
  for (const name of names) {
    const [, prefix, pid, started] = runName.exec(name) ?? [];
    if (prefix !== undefined && startTime(Number(pid)) !== started) dead.add(prefix);
  }
  for (const prefix of dead) await sweep(prefix);
  return [...dead];
}

/** Waits for our death in a session of its own, then sweeps: nothing stays behind even after SIGKILL. */
export class Guardian {
  readonly #stdin: NodeJS.WritableStream;

  constructor(prefix: string) {
    const script = `if read -r line; then exit 0; fi\n${sweepScript}`;
    const child = spawn('sh', ['-c', script, 'guardian', prefix, runDir(prefix)], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    child.unref();
    this.#stdin = child.stdin;
    child.stdin.on('error', () => {});
    (child.stdin as unknown as { unref?: () => void }).unref?.();
  }

  /** Nothing is left to guard. */
  dismiss(): void {
    this.#stdin.end('done\n');
  }
}
