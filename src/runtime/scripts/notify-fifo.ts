// One FIFO that tells a program of the operator's what happens. Writing never waits: lines that find it full are dropped
// and counted. It is open for reading, too, so that a reader which is missing or starts again is no error.

import {
  accessSync,
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  lstatSync,
  openSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Fifo, ScriptPolicy } from '../../model/failover-config.js';
import { addMicros, seconds } from '../../model/units.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { findAccount, usualAccount } from './accounts.js';
import { failureText, type ScriptMachine } from './script-machine.js';
import { endText, type Run, type ScriptEnd, type ScriptRunner } from './script-runner.js';

export type FifoParts = {
  readonly clock: Clock;
  readonly log: Log;
  readonly runner: ScriptRunner;
  readonly machine: ScriptMachine;
};

/** A script that reads to the end of the FIFO has so long for the last lines before it is ended. */
export const lastLinesGrace = seconds(1);
/** Lines that are kept while the FIFO is being made. */
const maxWaiting = 1_000;

export class NotifyFifo {
  /** Lines that found the FIFO full, or no FIFO. */
  droppedCount = 0;
  private fd: number | undefined;
  private waiting: string[] | undefined = [];
  private isOurs = false;
  private isFull = false;
  private script: Run | undefined;
  private onScriptEnd: () => void = () => {};
  private isClosed = false;

  constructor(
    readonly fifo: Fifo,
    readonly policy: ScriptPolicy,
    private readonly parts: FifoParts,
  ) {
    this.begin();
  }

  /** One line with its end. */
  write(line: string): void {
    if (this.waiting !== undefined && this.waiting.length < maxWaiting) this.waiting.push(line);
    else this.send(line);
  }

  /** Starts the script again when it has ended, and tries again to open what could not be opened. */
  revive(): void {
    if (this.fd !== undefined && this.script === undefined) this.startScript();
    if (this.fd !== undefined || this.waiting !== undefined) return;
    this.waiting = [];
    this.begin();
  }

  /**
   * Its script reads the end, and is ended when it takes too long over it; resolves then. A FIFO that we made is removed
   * first, so that a reader that opens it anew does not wait on it.
   */
  async close(): Promise<void> {
    this.isClosed = true;
    if (this.isOurs) attempt(() => unlinkSync(this.fifo.path));
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
    if (this.script === undefined) return;
    const { clock } = this.parts;
    await new Promise<void>((resolve) => {
      const cancel = clock.at(addMicros(clock.now(), lastLinesGrace), () => {
        this.script?.end();
        resolve();
      });
      this.onScriptEnd = () => {
        cancel();
        resolve();
      };
    });
  }

  private begin(): void {
    if (isMissing(this.fifo.path)) this.make();
    else this.open();
  }

  /** By mkfifo(1), as ourselves: Node has no call for it. */
  private make(): void {
    const { runner, machine } = this.parts;
    const account = { user: String(machine.uid), group: String(machine.gid) };
    const command = { words: ['mkfifo', '-m', '600', this.fifo.path], account };
    runner.run(command, { account: undefined, isSecure: false }, 'dies', (end) => {
      if (end.kind === 'exited' && end.status === 0) this.isOurs = true;
      else if (isMissing(this.fifo.path)) this.refuse(whyNotMade(this.fifo.path, end));
      if (this.isClosed && this.isOurs) attempt(() => unlinkSync(this.fifo.path));
      if (!this.isClosed && !isMissing(this.fifo.path)) this.open();
    });
  }

  private open(): void {
    const { path } = this.fifo;
    try {
      const { O_RDWR, O_NONBLOCK, O_NOFOLLOW } = constants;
      const fd = openSync(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
      if (!fstatSync(fd).isFIFO()) {
        closeSync(fd);
        this.refuse('there is a file of that name that is no FIFO: remove it');
        return;
      }
      this.fd = fd;
      // Once it is open: without CAP_DAC_OVERRIDE not even root opens what is another's.
      if (this.isOurs) this.giveAway(fd);
    } catch (error) {
      this.refuse(failureText(error));
      return;
    }
    const lines = this.waiting ?? [];
    this.waiting = undefined;
    for (const line of lines) this.send(line);
    this.startScript();
  }

  /** To the account that reads it: its own, else that of scripts. */
  private giveAway(fd: number): void {
    const { log, machine } = this.parts;
    const wanted = this.fifo.account ?? this.policy.account;
    const accounts = machine.accounts();
    const account = wanted === undefined ? usualAccount(accounts) : findAccount(wanted, accounts);
    if (typeof account === 'string') {
      if (this.fifo.account !== undefined) log.warn(`FIFO ${this.fifo.path} should belong to ${account}`);
      return;
    }
    if (account.uid === machine.uid && account.gid === machine.gid) return;
    try {
      fchownSync(fd, account.uid, account.gid);
    } catch (error) {
      const remedy = 'give the director CAP_CHOWN, or make the FIFO yourself';
      log.warn(`FIFO ${this.fifo.path} can't be given to ${account.name}: ${failureText(error)}`, { remedy });
    }
  }

  private startScript(): void {
    const { script, path } = this.fifo;
    if (script === undefined) return;
    const command = { ...script, words: [...script.words, path] };
    this.script = this.parts.runner.run(command, this.policy, 'dies', (end) => {
      this.script = undefined;
      this.onScriptEnd();
      if (this.isClosed) return;
      const hint = { result: endText(end), hint: 'a reload starts it again' };
      this.parts.log.warn(`the script of FIFO ${path} has ended`, hint);
    });
  }

  private send(line: string): void {
    if (this.fd === undefined) {
      this.droppedCount += 1;
      return;
    }
    try {
      writeSync(this.fd, line);
      if (this.isFull)
        this.parts.log.warn(`FIFO ${this.fifo.path} is read again`, { lost: this.droppedCount });
      this.isFull = false;
    } catch (error) {
      this.droppedCount += 1;
      if (this.isFull) return;
      this.isFull = true;
      const isBlocked = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
      const reason = isBlocked ? 'nobody reads it and it is full' : failureText(error);
      this.parts.log.warn(`FIFO ${this.fifo.path}: lines are lost: ${reason}`);
    }
  }

  private refuse(reason: string): void {
    this.droppedCount += this.waiting?.length ?? 0;
    this.waiting = undefined;
    this.parts.log.warn(`FIFO ${this.fifo.path}: ${reason}; nothing is written to it`);
  }
}

/** What can't be looked at may be there: opening it says why not. */
function isMissing(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}

/** mkfifo says it where nobody listens: the directory is asked. */
function whyNotMade(path: string, end: ScriptEnd): string {
  try {
    accessSync(dirname(path), constants.W_OK);
    return `mkfifo: ${endText(end)}`;
  } catch (error) {
    return `it can't be made in ${dirname(path)}: ${failureText(error)}`;
  }
}

function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // Somebody was faster.
  }
}
