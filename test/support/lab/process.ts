// Programs that the lab runs: short ones to their end with their output, long ones tracked until they are stopped.
// Long ones write to files, so that they outlive us when they are to be kept, and die with us otherwise (pdeathsig).

import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { waitFor } from './wait.js';

export type RunResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  /** Bytes for standard input; without it standard input is empty. */
  readonly stdin?: string | Uint8Array;
  /** The program is killed after this; default 60. */
  readonly timeout_s?: number;
  /** The first output is the answer: the program is ended then. */
  readonly endsAtOutput?: boolean;
  readonly env?: Readonly<Record<string, string>>;
};

/** A command as words, or as one line without quoting that is split at blanks. */
export type Command = string | readonly string[];

export function words(command: Command): readonly string[] {
  return typeof command === 'string' ? command.trim().split(/\s+/) : command;
}

/** Runs a program to its end; a failure is a code, not an exception. Code 124 is our timeout, 127 a missing program. */
export function run(command: Command, options: RunOptions = {}): Promise<RunResult> {
  const [program = '', ...args] = words(command);
  const timeout_s = options.timeout_s ?? 60;
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: { ...process.env, ...options.env } });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let isLate = false;
    const killer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, timeout_s * 1000);
    const finish = (code: number, note: string) => {
      clearTimeout(killer);
      resolve({
        code,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString() + note,
      });
    };
    child.stdout.on('data', (part: Buffer) => {
      stdout.push(part);
      if (options.endsAtOutput === true) child.kill('SIGKILL');
    });
    child.stderr.on('data', (part: Buffer) => stderr.push(part));
    child.on('error', (error) => finish(127, error.message));
    child.on('close', (code, signal) => {
      if (isLate) finish(124, `killed after ${timeout_s} s`);
      else finish(code ?? 128, signal === null ? '' : `ended by ${signal}`);
    });
    child.stdin.on('error', () => {});
    child.stdin.end(options.stdin ?? '');
  });
}

/** Like `run`, but any code other than 0 is an exception that carries the whole output. Gives standard output. */
export async function runOk(command: Command, options: RunOptions = {}): Promise<string> {
  const result = await run(command, options);
  if (result.code === 0) return result.stdout;
  const output = `${result.stdout}${result.stderr}`.trim();
  throw new Error(`${words(command).join(' ')}: exit code ${result.code}\n${output}`);
}

export type Exit = { readonly code: number | undefined; readonly signal: NodeJS.Signals | undefined };

export type SpawnOptions = {
  /** Where standard output and error go, one file for both. */
  readonly logFile: string;
  /** Live on when we die; otherwise the kernel kills it then. */
  readonly outlivesUs?: boolean;
  readonly env?: Readonly<Record<string, string>>;
};

/** A program of the lab that runs until it is stopped. */
export class TrackedProcess {
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when it has ended, however it ended. */
  readonly exited: Promise<Exit>;
  exit: Exit | undefined;

  constructor(command: Command, options: SpawnOptions) {
    this.logFile = options.logFile;
    const log = openSync(options.logFile, 'a');
    const prefix = options.outlivesUs === true ? [] : ['setpriv', '--pdeathsig', 'KILL', '--'];
    const [program = '', ...args] = [...prefix, ...words(command)];
    const child = spawn(program, args, {
      stdio: ['ignore', log, log],
      // Its own session: Ctrl-C on our terminal reaches only us, and teardown keeps its order.
      detached: true,
      env: { ...process.env, ...options.env },
    });
    closeSync(log);
    this.pid = child.pid ?? 0;
    this.exited = new Promise((resolve) => {
      child.on('error', () => resolve({ code: 127, signal: undefined }));
      child.on('exit', (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }));
    });
    void this.exited.then((exit) => {
      this.exit = exit;
    });
    if (options.outlivesUs === true) child.unref();
  }

  /** Everything it has written so far. */
  output(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }

  signal(name: NodeJS.Signals): void {
    if (this.exit !== undefined || this.pid === 0) return;
    try {
      process.kill(this.pid, name);
    } catch {
      // It ended in between.
    }
  }

  /** Ends it by `name`, and by SIGKILL when it has not ended after `grace_s`. */
  async stop(name: NodeJS.Signals = 'SIGTERM', grace_s = 5): Promise<Exit> {
    this.signal(name);
    try {
      await waitFor(`process ${this.pid} to end`, () => this.exit !== undefined, { timeout_s: grace_s });
    } catch {
      this.signal('SIGKILL');
    }
    return await this.exited;
  }

  /** Waits until its output matches; an early end is an error. Both errors show the output. */
  async waitForOutput(pattern: RegExp, timeout_s = 10): Promise<RegExpExecArray> {
    const tail = () => this.output().slice(-4000);
    const found = await waitFor(
      `${pattern} in ${this.logFile}`,
      () => pattern.exec(this.output()) ?? (this.exit === undefined ? undefined : 'ended'),
      { timeout_s, detail: tail },
    );
    if (found !== 'ended') return found;
    throw new Error(`ended (${this.exit?.code ?? this.exit?.signal}) before ${pattern}:\n${tail()}`);
  }
}
