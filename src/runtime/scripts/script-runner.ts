// Runs the operator's programs: as an account, in a session of their own, with nothing to read and nowhere to write.
// How a program ended is a value; nothing here throws.

import { constants } from 'node:os';
import type { ScriptCommand, ScriptPolicy } from '../../model/failover-config.js';
import type { Catcher } from '../catcher.js';
import type { Log } from '../log.js';
import { type LaunchEvent, Launcher, type OnOurEnd } from './launcher.js';
import {
  type Inspection,
  inspectCommand,
  inspectionOf,
  type Runnable,
  type ScriptDefect,
} from './script-inspection.js';
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

export type Run = {
  /** SIGTERM to the program and all that it started, SIGKILL a second later. Ok when it has ended. */
  end(): void;
};

export interface ScriptRunner {
  /** Looks at files and accounts as they are now. */
  inspect(command: ScriptCommand, policy: ScriptPolicy): Inspection;
  /** Inspects again and starts it; `onEnd` is called once, after this has returned. */
  run(command: ScriptCommand, policy: ScriptPolicy, onOurEnd: OnOurEnd, onEnd: (end: ScriptEnd) => void): Run;
}

export type ScriptRunnerParts = {
  readonly log: Log;
  readonly catcher: Pick<Catcher, 'run'>;
  readonly machine?: ScriptMachine | undefined;
  /** Path of the launcher; default: the one that was built with the addon. */
  readonly launcher?: string | undefined;
};

/** What speaks to the director itself, or changes how Node starts, is not for scripts; everything else they inherit. */
const directorsOwn = /^(NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*|NODE_OPTIONS|NODE_CHANNEL_.*)$/;

/** Runs programs on this machine through the launcher. */
export class ProcessScriptRunner implements ScriptRunner {
  private readonly machine: ScriptMachine;
  private readonly launcher: Launcher;
  private readonly warnedOf = new Set<string>();

  constructor(private readonly parts: ScriptRunnerParts) {
    this.machine = parts.machine ?? thisMachine;
    this.launcher = new Launcher({
      path: parts.launcher,
      catcher: parts.catcher,
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

  inspect(command: ScriptCommand, policy: ScriptPolicy): Inspection {
    return inspectionOf(this.prepareRun(command, policy));
  }

  run(
    command: ScriptCommand,
    policy: ScriptPolicy,
    onOurEnd: OnOurEnd,
    onEnd: (end: ScriptEnd) => void,
  ): Run {
    const found = this.prepareRun(command, policy);
    if ('why' in found) {
      queueMicrotask(() => onEnd({ kind: 'not-run', why: `${found.why}: ${found.remedy}` }));
      return { end: () => {} };
    }
    const id = this.launcher.run(found.words, found.account, onOurEnd, (event) => {
      if (event.kind !== 'started') onEnd(endOf(event, found));
    });
    return { end: () => this.launcher.end(id) };
  }

  /** Ends what runs, except programs that outlive us; resolves when they are dead. */
  stop(): Promise<void> {
    return this.launcher.close();
  }

  private prepareRun(command: ScriptCommand, policy: ScriptPolicy): Runnable | ScriptDefect {
    const found = inspectCommand(command, policy, this.machine);
    if (!('why' in found) && found.risk !== undefined && !this.warnedOf.has(found.risk.why)) {
      this.warnedOf.add(found.risk.why);
      const { why, remedy } = found.risk;
      this.parts.log.warn(`a script is not safe: ${why}`, {
        remedy: `${remedy}; or enable_script_security, which refuses it`,
      });
    }
    return found;
  }
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
