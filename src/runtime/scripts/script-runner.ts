// Runs the operator's programs: as an account, in a session of their own, with nothing to read and nowhere to write.
// Never as root unless somebody said so. How a program ended is a value; nothing here throws.

import { constants } from 'node:os';
import type { ScriptCommand, ScriptPolicy } from '../../model/failover-config.js';
import type { Log } from '../log.js';
import { type AccountIds, defaultScriptUser, findAccount } from './accounts.js';
import { type Fate, type LaunchEvent, Launcher } from './launcher.js';
import { firstUnsafe, forbids, type ProgramPath, runsWithRootPowers, walkPath } from './program-path.js';
import { errnoText, type ScriptMachine, thisMachine } from './script-machine.js';

/** How a run ended. `not-run`: it may not or can not be run; `why` follows its name, with the remedy. */
export type ScriptEnd =
  | { readonly kind: 'exited'; readonly status: number }
  /** `signal` as `SIGTERM`. */
  | { readonly kind: 'signalled'; readonly signal: string }
  | { readonly kind: 'not-run'; readonly why: string }
  /** This machine failed, not the command: no process to be had, or it was lost sight of. */
  | { readonly kind: 'inconclusive'; readonly why: string };

/** `exit status 1`, `SIGSEGV`, or why it was not run. */
export function endText(end: ScriptEnd): string {
  if (end.kind === 'exited') return `exit status ${end.status}`;
  return end.kind === 'signalled' ? end.signal : end.why;
}

/** Why a command is not run: `why` follows its name (`has nobody to run as`), `remedy` says what to do. */
export type ScriptDefect = { readonly why: string; readonly remedy: string };

export type Run = {
  /** SIGTERM to the program and all that it started, SIGKILL a second later. Ok when it has ended. */
  end(): void;
};

export interface ScriptRunner {
  /** undefined when the command can be run. Looks at files and accounts as they are now. */
  inspect(command: ScriptCommand, policy: ScriptPolicy): ScriptDefect | undefined;
  /** Inspects again and starts it; `onEnd` is called once, after this has returned. */
  run(command: ScriptCommand, policy: ScriptPolicy, fate: Fate, onEnd: (end: ScriptEnd) => void): Run;
}

export type ScriptRunnerParts = {
  readonly log: Log;
  readonly machine?: ScriptMachine | undefined;
  /** Path of the launcher; default: the one that was built with the addon. */
  readonly launcher?: string | undefined;
};

/** What speaks to the director itself, or changes how Node starts, is not for scripts; everything else they inherit. */
const directorsOwn = /^(NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*|NODE_OPTIONS|NODE_CHANNEL_.*)$/;

type Runnable = { readonly words: readonly string[]; readonly account: AccountIds };

/** Runs programs on this machine through the launcher. */
export class ProcessScriptRunner implements ScriptRunner {
  private readonly machine: ScriptMachine;
  private readonly launcher: Launcher;
  private readonly warnedOf = new Set<string>();

  constructor(private readonly parts: ScriptRunnerParts) {
    this.machine = parts.machine ?? thisMachine;
    this.launcher = new Launcher({
      path: parts.launcher,
      environment: Object.fromEntries(
        Object.entries(process.env).filter(([name]) => !directorsOwn.test(name)),
      ),
      onDeath: (why) => parts.log.error(`the process that starts scripts is gone: ${why}`),
    });
  }

  /** Call it when there will be scripts to run: starting the launcher later stalls the director for longer. */
  prepare(): void {
    this.launcher.prepare();
  }

  inspect(command: ScriptCommand, policy: ScriptPolicy): ScriptDefect | undefined {
    const found = this.prepareRun(command, policy);
    return 'why' in found ? found : undefined;
  }

  run(command: ScriptCommand, policy: ScriptPolicy, fate: Fate, onEnd: (end: ScriptEnd) => void): Run {
    const found = this.prepareRun(command, policy);
    if ('why' in found) {
      queueMicrotask(() => onEnd({ kind: 'not-run', why: `${found.why}: ${found.remedy}` }));
      return { end: () => {} };
    }
    const id = this.launcher.run(found.words, found.account, fate, (event) => {
      if (event.kind !== 'started') onEnd(endOf(event, found));
    });
    return { end: () => this.launcher.end(id) };
  }

  /** Ends what runs, except programs that outlive us; resolves when they are dead. */
  stop(): Promise<void> {
    return this.launcher.close();
  }

  private prepareRun(command: ScriptCommand, policy: ScriptPolicy): Runnable | ScriptDefect {
    const account = this.accountOf(command, policy);
    if ('why' in account) return account;
    const [program, ...rest] = wordsOf(command.words);
    if (program === undefined) return { why: 'has no command', remedy: 'write the path of a program' };
    const path = this.locate(program, account);
    if (typeof path === 'string')
      return { why: `has no program to run (${path})`, remedy: 'correct its path' };
    const forbidden = forbids(path, account);
    if (forbidden !== undefined) {
      return {
        why: `can not be run: ${forbidden}`,
        remedy: 'correct permissions, or the account it runs as',
      };
    }
    const insecure = this.insecurityOf(path, account, policy);
    if (insecure !== undefined) return insecure;
    // As it was written, not resolved: programs look at the name that they are called by.
    return { words: [path.calledAs, ...rest], account };
  }

  private accountOf(command: ScriptCommand, policy: ScriptPolicy): AccountIds | ScriptDefect {
    const database = this.machine.accounts();
    const wanted = command.account ?? policy.account;
    const account = findAccount(wanted ?? { user: defaultScriptUser, group: undefined }, database);
    if (typeof account === 'string') {
      return wanted === undefined
        ? {
            why: 'has nobody to run as',
            remedy: `name an account by script_user in global_defs, or make one called ${defaultScriptUser}`,
          }
        : { why: `would run as ${account}`, remedy: 'create the account, or name another' };
    }
    const isOurs = account.uid === this.machine.uid && account.gid === this.machine.gid;
    if (isOurs || this.machine.mayChangeAccount()) return account;
    return {
      why: `can not be run as ${account.name}: the director may not change accounts`,
      remedy: 'give it CAP_SETUID and CAP_SETGID (in systemd: AmbientCapabilities, CapabilityBoundingSet)',
    };
  }

  /** Bare names are searched in PATH, as keepalived does. */
  private locate(
    program: string,
    account: AccountIds,
  ): (ProgramPath & { readonly calledAs: string }) | string {
    if (program.startsWith('/')) {
      const found = walkPath(program, this.machine.lookAt);
      return typeof found === 'string' ? found : { ...found, calledAs: program };
    }
    if (program.includes('/')) return `${program} does not begin with /`;
    for (const directory of this.machine.searchPath()) {
      const calledAs = `${directory}/${program}`;
      const found = walkPath(calledAs, this.machine.lookAt);
      if (typeof found !== 'string' && forbids(found, account) === undefined) return { ...found, calledAs };
    }
    return `no ${program} in PATH`;
  }

  private insecurityOf(
    path: ProgramPath,
    account: AccountIds,
    policy: ScriptPolicy,
  ): ScriptDefect | undefined {
    const unsafe = runsWithRootPowers(path, account) ? firstUnsafe(path) : undefined;
    if (unsafe === undefined) return undefined;
    const why = `is refused by enable_script_security: it runs as ${account.name}, and others than root can change ${unsafe}`;
    const remedy = `chown root ${unsafe}; chmod go-w ${unsafe}`;
    if (policy.isSecure) return { why, remedy };
    if (!this.warnedOf.has(unsafe)) {
      this.warnedOf.add(unsafe);
      const message = `a script runs as ${account.name}, and others than root can change ${unsafe}`;
      this.parts.log.warn(message, { remedy: `${remedy}; or enable_script_security, which refuses it` });
    }
    return undefined;
  }
}

/** `</path`: no program, but a test whether the file can be opened; the shell says no more than that. */
function wordsOf(words: readonly string[]): readonly string[] {
  const [first = '', second] = words;
  if (!first.startsWith('<')) return words;
  const path = first.slice(1).trim() || (second ?? '');
  return ['/bin/sh', '-c', 'exec < "$1"', 'sh', path];
}

function endOf(event: Exclude<LaunchEvent, { kind: 'started' }>, { account, words }: Runnable): ScriptEnd {
  switch (event.kind) {
    case 'exited':
      return event;
    case 'signalled':
      return { kind: 'signalled', signal: signalName(event.signal) };
    case 'failed': {
      const what = event.step === 'account' ? `becoming ${account.name}` : (words[0] ?? '');
      const why = `could not be started: ${what}: ${errnoText(event.errno)}`;
      return { kind: event.step === 'fork' || event.step === 'null' ? 'inconclusive' : 'not-run', why };
    }
    case 'lost':
      return { kind: 'inconclusive', why: `was lost with the process that starts scripts: ${event.why}` };
    default:
      return event satisfies never;
  }
}

function signalName(signal: number): string {
  const found = Object.entries(constants.signals).find(([, number]) => number === signal);
  return found?.[0] ?? `signal ${signal}`;
}
