// Whether a command of the operator's can be run on this machine, and as whom: keepalived's order of accounts, with a
// safe rule where nobody is named. Facts about files and accounts are handed in; nothing is started.

import type { ScriptCommand, ScriptPolicy } from '../../model/failover-config.js';
import { type AccountIds, defaultScriptUser, findAccount, usualAccount } from './accounts.js';
import {
  firstUnsafe,
  forbids,
  type ProgramPath,
  runsWithRootPowers,
  type Step,
  unsafeRemedy,
  unsafeText,
  walkPath,
} from './program-path.js';
import type { ScriptMachine } from './script-machine.js';

/** Why a command is not run: `why` follows its name (`has nobody to run as`), `remedy` says what to do. */
export type ScriptDefect = { readonly why: string; readonly remedy: string };

/** As whom it runs, or why it does not. */
export type Inspection = { readonly runsAs: string } | ScriptDefect;

export type Runnable = {
  readonly words: readonly string[];
  readonly account: AccountIds;
  /** It runs with the powers of root, as the file wants it, and somebody else can change it. */
  readonly risk: ScriptDefect | undefined;
};

export function inspectCommand(
  command: ScriptCommand,
  policy: ScriptPolicy,
  machine: ScriptMachine,
): Runnable | ScriptDefect {
  const account = accountOf(command, policy, machine);
  if ('why' in account) return account;
  const words = wordsOf(command.words);
  const [program, ...rest] = words;
  if (program === undefined) return { why: 'has no command', remedy: 'write the path of a program' };
  const path = locate(program, account, machine);
  if (typeof path === 'string') {
    return { why: `has no program to run (${path})`, remedy: 'correct its path' };
  }
  const forbidden = forbids(path, account);
  if (forbidden !== undefined) {
    return {
      why: `can not be run: ${forbidden}`,
      remedy: 'correct permissions, or the account it runs as',
    };
  }
  const byWayOf = interpretersOf(path, machine);
  if ('why' in byWayOf) return byWayOf;
  const unsafe = runsWithRootPowers(path, account) ? firstOf([path, ...byWayOf], firstUnsafe) : undefined;
  const isNamed = (command.account ?? policy.account) !== undefined;
  if (!isNamed && account.uid === 0) {
    const found = unsafe ?? (words === command.words ? unsafeScriptOf(path, rest, machine) : undefined);
    if (found !== undefined) return unasked(found, machine);
  }
  const risk = unsafe === undefined ? undefined : riskOf(unsafe, account, machine);
  if (risk !== undefined && policy.isSecure) {
    return { ...risk, why: `is refused by enable_script_security: ${risk.why}` };
  }
  // As it was written, not resolved: programs look at the name that they are called by.
  return { words: [path.calledAs, ...rest], account, risk };
}

export function inspectionOf(found: Runnable | ScriptDefect): Inspection {
  return 'why' in found ? found : { runsAs: found.account.name };
}

/** Its own, else script_user, else keepalived's usual ones. */
function accountOf(
  command: ScriptCommand,
  policy: ScriptPolicy,
  machine: ScriptMachine,
): AccountIds | ScriptDefect {
  const database = machine.accounts();
  const wanted = command.account ?? policy.account;
  const account = wanted === undefined ? usualAccount(database) : findAccount(wanted, database);
  if (typeof account === 'string') {
    return { why: `would run as ${account}`, remedy: 'create the account, or name another' };
  }
  const isOurs = account.uid === machine.uid && account.gid === machine.gid;
  if (isOurs || machine.mayChangeAccount()) return account;
  return {
    why: `can not be run as ${account.name}: the director may not change accounts`,
    remedy: 'give it CAP_SETUID and CAP_SETGID (in systemd: AmbientCapabilities, CapabilityBoundingSet)',
  };
}

type Located = ProgramPath & { readonly calledAs: string };

/** Bare names are searched in PATH, as keepalived does. */
function locate(program: string, account: AccountIds, machine: ScriptMachine): Located | string {
  if (program.startsWith('/')) {
    const found = walkPath(program, machine.lookAt);
    return typeof found === 'string' ? found : { ...found, calledAs: program };
  }
  if (program.includes('/')) return `${program} does not begin with /`;
  for (const directory of machine.searchPath()) {
    const calledAs = `${directory}/${program}`;
    const found = walkPath(calledAs, machine.lookAt);
    if (typeof found !== 'string' && forbids(found, account) === undefined) return { ...found, calledAs };
  }
  return `no ${program} in PATH`;
}

/** So many scripts may be each other's interpreters, as in the kernel. */
const mostInterpreters = 5;

/** What the kernel starts for a script: the program that its first line names, and that one's, if it is a script too. */
function interpretersOf(path: ProgramPath, machine: ScriptMachine): readonly ProgramPath[] | ScriptDefect {
  const found: ProgramPath[] = [];
  for (let at = path; found.length < mostInterpreters; ) {
    const line = machine.firstLine(at.program.path) ?? '';
    const name = /^#![ \t]*([^ \t]+)/.exec(line)?.[1];
    if (name === undefined) return found;
    if (line.endsWith('\r')) {
      return {
        why: `can not be run: the lines of ${at.program.path} end in CR LF, so its interpreter is not found`,
        remedy: `sed -i 's/\\r$//' ${at.program.path}`,
      };
    }
    const next = walkPath(name, machine.lookAt);
    if (typeof next === 'string') {
      return {
        why: `can not be run: there is no interpreter ${name} (${next})`,
        remedy: `correct the first line of ${at.program.path}, or install what it names`,
      };
    }
    found.push(next);
    at = next;
  }
  return found;
}

function firstOf<T, V>(list: readonly T[], look: (item: T) => V | undefined): V | undefined {
  for (const item of list) {
    const found = look(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Programs that run the file which is their argument. */
const interpreters = /^((ba|da|k|z)?sh|python[\d.]*|perl[\d.]*|ruby[\d.]*|php[\d.]*|node|env)$/;

/** What root would run by way of an interpreter: `/bin/sh /srv/joe/check.sh` is a safe program and joe's script. */
function unsafeScriptOf(
  { calledAs }: Located,
  words: readonly string[],
  machine: ScriptMachine,
): Step | undefined {
  if (!interpreters.test(calledAs.slice(calledAs.lastIndexOf('/') + 1))) return undefined;
  const script = words.find((word) => word.startsWith('/'));
  const path = script === undefined ? '' : walkPath(script, machine.lookAt);
  return typeof path === 'string' ? undefined : firstUnsafe(path);
}

/** Root runs what nobody has named an account for where root alone can have written it. */
function unasked(unsafe: Step, machine: ScriptMachine): ScriptDefect {
  const who = unsafeText(unsafe, machine.accounts());
  const [safe, account] = [unsafeRemedy(unsafe), `an account called ${defaultScriptUser}`];
  return {
    why: `has nobody to run as: no account is named, and root does not run it unasked, for ${who}`,
    remedy: `name one by script_user in global_defs, or make ${account}; or, for root: ${safe}`,
  };
}

function riskOf(unsafe: Step, account: AccountIds, machine: ScriptMachine): ScriptDefect {
  const who = unsafeText(unsafe, machine.accounts());
  return { why: `it runs as ${account.name}, and ${who}`, remedy: unsafeRemedy(unsafe) };
}

/** `</path`: no program, but a test whether the file can be opened; the shell says no more than that. */
function wordsOf(words: readonly string[]): readonly string[] {
  const [first = '', second] = words;
  if (!first.startsWith('<')) return words;
  const path = first.slice(1).trim() || (second ?? '');
  return ['/bin/sh', '-c', 'exec < "$1"', 'sh', path];
}
