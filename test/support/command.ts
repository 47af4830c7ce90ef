// Runs a script of the repository, or any program, as a process, and says what it printed and how it ended.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type Output = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

const repository = fileURLToPath(new URL('../../', import.meta.url));

/** `script` from the repository's root. */
export async function runScript(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Output> {
  const running = startScript(script, args, env);
  const code = await running.ended;
  return { code, stdout: running.stdout(), stderr: running.stderr() };
}

export type RunningProgram = {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves when stdout has a match; rejects when the process ends before. */
  readonly printed: (pattern: RegExp) => Promise<void>;
  /** Resolves when it has made the file. */
  readonly exists: (path: string) => Promise<void>;
  readonly ended: Promise<number | null>;
};

export function startScript(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): RunningProgram {
  return startProgram(process.execPath, ['--import', 'tsx', script, ...args], env);
}

export function startProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): RunningProgram {
  const child = spawn(program, args, {
    cwd: repository,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (piece: string) => {
      text[name] += piece;
      for (const watch of watchers) watch();
    });
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const printed = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const watch = () => {
        if (!pattern.test(text.stdout)) return;
        watchers.delete(watch);
        resolve();
      };
      watchers.add(watch);
      watch();
      void ended.then((code) =>
        reject(new Error(`ended (${code}) before ${pattern}:\n${text.stdout}${text.stderr}`)),
      );
    });
  const exists = async (path: string) => {
    while (!existsSync(path)) await new Promise((resolve) => setImmediate(resolve));
  };
  return { child, exists, stdout: () => text.stdout, stderr: () => text.stderr, printed, ended };
}
