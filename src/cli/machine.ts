// What `doctor` asks of a machine: texts, folders, links and the output of programs. A test answers from a table.

import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { ScriptCommand, ScriptPolicy } from '../model/failover-config.js';
import { type Inspection, inspectCommand, inspectionOf } from '../runtime/scripts/script-inspection.js';
import { thisMachine as scriptMachine } from '../runtime/scripts/script-machine.js';

export type Machine = {
  /** The file's text without the last line end; undefined when it can't be read. */
  readonly read: (path: string) => string | undefined;
  /** Names in a directory; empty when there is none. */
  readonly list: (path: string) => readonly string[];
  readonly link: (path: string) => string | undefined;
  /** What a program prints; undefined when it is not there or fails. */
  readonly run: (program: string, ...args: readonly string[]) => string | undefined;
  /** Addresses on the devices of this machine. */
  readonly addresses: () => ReadonlySet<string>;
  /** As whom a script would run here, or why nobody runs it. */
  readonly inspect: (command: ScriptCommand, policy: ScriptPolicy) => Inspection;
};

const programTimeout_ms = 3_000;
/** A rule set of tens of thousands of rules. */
const maxOutput_bytes = 64 * 1024 * 1024;

export const thisMachine: Machine = {
  read: (path) => attempt(() => readFileSync(path, 'utf8').trimEnd()),
  list: (path) => attempt(() => readdirSync(path)) ?? [],
  link: (path) => attempt(() => readlinkSync(path)),
  run: (program, ...args) => {
    const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
    const result = spawnSync(program, args, {
      encoding: 'utf8',
      timeout: programTimeout_ms,
      maxBuffer: maxOutput_bytes,
      env: { PATH: path, LC_ALL: 'C' },
    });
    return result.status === 0 ? result.stdout : undefined;
  },
  addresses: () =>
    new Set(
      Object.values(networkInterfaces())
        .flat()
        .flatMap((entry) => (entry === undefined ? [] : [entry.address])),
    ),
  inspect: (command, policy) => inspectionOf(inspectCommand(command, policy, scriptMachine)),
};

/** As `run`, without waiting: while the process is small, for what is said when a start is done. */
export function runInBackground(program: string, ...args: readonly string[]): Promise<string | undefined> {
  const env = { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' };
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { encoding: 'utf8', timeout: programTimeout_ms, maxBuffer: maxOutput_bytes, env },
      (error, stdout) => resolve(error === null ? stdout : undefined),
    );
  });
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
