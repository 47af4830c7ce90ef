// What the script runner asks of this machine: accounts, files, its own rights. A test answers from a table.

import { closeSync, lstatSync, openSync, readFileSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { getSystemErrorMap } from 'node:util';
import { messageOf } from '../message-of.js';
import type { AccountDatabase } from './accounts.js';
import type { FileFacts, ReadFileFacts } from './program-path.js';

export type ScriptMachine = {
  readonly accounts: () => AccountDatabase;
  readonly lookAt: ReadFileFacts;
  /** Of a file, as far as the kernel looks for an interpreter; undefined when it can't be read. */
  readonly firstLine: (path: string) => string | undefined;
  readonly uid: number;
  readonly gid: number;
  /** CAP_SETUID and CAP_SETGID reach a program that we start. */
  readonly mayChangeAccount: () => boolean;
  /** Directories for programs that are named without one. */
  readonly searchPath: () => readonly string[];
};

/** CAP_SETGID and CAP_SETUID. */
const accountCapabilities = (1n << 6n) | (1n << 7n);

export const thisMachine: ScriptMachine = {
  accounts: () => ({ passwd: textOf('/etc/passwd'), group: textOf('/etc/group') }),
  lookAt,
  firstLine,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  mayChangeAccount,
  searchPath: () => (process.env.PATH ?? '/usr/bin:/bin').split(':').filter((entry) => entry.startsWith('/')),
};

/** `no such file or directory` for 2. */
export function errnoText(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? `error ${errno}`;
}

/** What a failed system call says. */
export function failureText(error: unknown): string {
  const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : Number.NaN;
  return Number.isNaN(errno) ? messageOf(error) : errnoText(Math.abs(errno));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function lookAt(path: string): FileFacts | string {
  try {
    const stats = lstatSync(path);
    const target = stats.isSymbolicLink() ? readlinkSync(path) : undefined;
    return { kind: kindOf(stats), uid: stats.uid, gid: stats.gid, mode: stats.mode & 0o7777, target };
  } catch (error) {
    return failureText(error);
  }
}

/** BINPRM_BUF_SIZE of the kernel. */
const firstBytes = 256;

function firstLine(path: string): string | undefined {
  const buffer = Buffer.alloc(firstBytes);
  try {
    const descriptor = openSync(path, 'r');
    try {
      const length = readSync(descriptor, buffer);
      return buffer.toString('latin1', 0, length).split('\n', 1)[0];
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
}

function kindOf(stats: Stats): FileFacts['kind'] {
  if (stats.isSymbolicLink()) return 'link';
  if (stats.isDirectory()) return 'directory';
  return stats.isFile() ? 'file' : 'other';
}

/** A root process gives its children what it has; any other only its ambient set. */
function mayChangeAccount(): boolean {
  const status = textOf('/proc/self/status');
  const set = process.geteuid?.() === 0 ? 'CapEff' : 'CapAmb';
  const bits = new RegExp(`^${set}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1];
  return bits !== undefined && (BigInt(`0x${bits}`) & accountCapabilities) === accountCapabilities;
}
