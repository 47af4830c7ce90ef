// Follows a `track_file`: a number in a file, as it changes. Survives replacement by rename, removal, and a directory
// that comes and goes. A file without a number counts as 0, as in keepalived.

import {
  closeSync,
  constants,
  type FSWatcher,
  openSync,
  readSync,
  statSync,
  watch,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import type { TrackFile } from '../../model/failover-config.js';
import { addMicros, type Micros, seconds } from '../../model/units.js';
import type { Cancel, Clock } from '../clock.js';
import { failureText } from '../scripts/script-machine.js';

/** A writer that truncates and then writes leaves the file empty for a moment: no number is believed after this. */
const doubt = seconds(0.1);
/** Links to elsewhere, mounts and directories that were moved away tell nobody: looked at this often. */
const recheck = seconds(5);
const maxBytes = 128;
const bound = 2 ** 31 - 1;

type Reading = { readonly value: number } | { readonly problem: string };

/** Calls `onChange` whenever `value` has changed, never from the constructor. */
export class FollowedFile {
  value = 0;
  /** Why the value is 0 although nobody wrote that. */
  problem: string | undefined;
  private watcher: FSWatcher | undefined;
  private watched: string | undefined;
  private cancelDoubt: Cancel | undefined;
  private cancelRecheck: Cancel | undefined;
  private isStopped = false;

  constructor(
    readonly file: TrackFile,
    private readonly clock: Clock,
    private readonly onChange: () => void,
  ) {
    this.watchDirectory();
    const found = read(file.path);
    if ('value' in found) this.value = found.value;
    else this.problem = found.problem;
    this.recheckLater();
  }

  stop(): void {
    this.isStopped = true;
    this.watcher?.close();
    this.cancelDoubt?.();
    this.cancelRecheck?.();
  }

  private look(): void {
    if (this.isStopped) return;
    this.watchDirectory();
    const found = read(this.file.path);
    if ('value' in found) {
      this.cancelDoubt?.();
      this.cancelDoubt = undefined;
      this.take(found.value, undefined);
    } else if (this.problem === undefined) {
      this.cancelDoubt ??= this.at(doubt, () => {
        this.cancelDoubt = undefined;
        const again = read(this.file.path);
        if ('value' in again) this.take(again.value, undefined);
        else this.take(0, again.problem);
      });
    } else {
      this.problem = found.problem;
    }
  }

  private take(value: number, problem: string | undefined): void {
    this.problem = problem;
    if (value === this.value) return;
    this.value = value;
    this.onChange();
  }

  /** The directory, not the file: a file that is replaced takes its watch away with it. */
  private watchDirectory(): void {
    const directory = dirname(this.file.path);
    const identity = identityOf(directory);
    if (identity === this.watched && identity !== undefined) return;
    this.watcher?.close();
    this.watcher = undefined;
    this.watched = undefined;
    if (identity === undefined) return;
    try {
      const watcher = watch(directory, { persistent: false }, () => this.look());
      watcher.on('error', () => {
        if (this.watcher === watcher) this.watched = undefined;
      });
      this.watcher = watcher;
      this.watched = identity;
    } catch {
      // No directory, no right to it, or no watches left: the recheck is what remains.
    }
  }

  private recheckLater(): void {
    this.cancelRecheck = this.at(recheck, () => {
      this.look();
      if (!this.isStopped) this.recheckLater();
    });
  }

  private at(delay: Micros, callback: () => void): Cancel {
    return this.clock.at(addMicros(this.clock.now(), delay), callback);
  }
}

/** `init_file`: what went wrong, in words; undefined when all is well. */
export function initializeFile({ path, initial, overwrites }: TrackFile): string | undefined {
  if (initial === undefined) return undefined;
  const { O_WRONLY, O_CREAT, O_TRUNC, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants;
  const how = overwrites ? O_TRUNC | O_NOFOLLOW : O_EXCL;
  try {
    const fd = openSync(path, O_WRONLY | O_CREAT | O_NONBLOCK | how, 0o644);
    try {
      writeSync(fd, `${initial}\n`);
    } finally {
      closeSync(fd);
    }
    return undefined;
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    return isThere ? undefined : failureText(error);
  }
}

/** The number that a text begins with, as strtoll reads it: sign, 0x and leading 0 for octal; undefined without one. */
export function leadingNumber(text: string): number | undefined {
  const [, sign, digits] = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const isOctal = /^0[0-7]+$/.test(digits);
  const size = Number(isOctal ? `0o${digits.slice(1)}` : digits);
  return Math.min(size, bound) * (sign === '-' && size !== 0 ? -1 : 1);
}

function read(path: string): Reading {
  const buffer = Buffer.alloc(maxBytes);
  try {
    // Not to wait for the other end of what turns out to be a FIFO.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const size = readSync(fd, buffer, 0, maxBytes, null);
      const value = leadingNumber(buffer.toString('latin1', 0, size));
      return value === undefined ? { problem: `no number in ${basename(path)}` } : { value };
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return { problem: failureText(error) };
  }
}

function identityOf(directory: string): string | undefined {
  try {
    const { dev, ino } = statSync(directory);
    return `${dev} ${ino}`;
  } catch {
    // Not there, or behind one that may not be entered: nothing to watch.
    return undefined;
  }
}
