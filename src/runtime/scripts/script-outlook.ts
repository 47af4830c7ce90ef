// Every program that a configuration has us run, with who would run it on this machine or why nobody does, and which
// virtual routers that keeps from ever being master. What `check --here`, `doctor`, a start and `status` say comes from here.

import { isSame } from '../../model/diff.js';
import type { FailoverConfig, ScriptCommand, ScriptPolicy } from '../../model/failover-config.js';
import { scriptCommands } from '../../model/script-commands.js';
import type { Log } from '../log.js';
import type { Inspection } from './script-inspection.js';

export type ScriptOutlook = {
  /** `script check_nginx`, `notify_master of VI_1`, `the script of FIFO /run/fifo`. */
  readonly title: string;
  readonly command: string;
  /** Name of the account; undefined: it is not run. */
  readonly runsAs: string | undefined;
  /** Why it is not run, as it follows the title, and what to do. */
  readonly defect: { readonly why: string; readonly remedy: string } | undefined;
  /** Virtual routers that depend on it: at fault for as long as it is not run. */
  readonly dependents: readonly string[];
};

type Inspect = (command: ScriptCommand, policy: ScriptPolicy) => Inspection;

/** In the order of the configuration: tracked scripts, notify scripts, scripts of FIFOs. */
export function scriptOutlooks(config: FailoverConfig, inspect: Inspect): ScriptOutlook[] {
  // Hundreds of virtual routers have one notify script.
  const seen = new Map<string, Inspection>();
  const inspectOnce = (command: ScriptCommand): Inspection => {
    const key = JSON.stringify([command.words, command.account]);
    const found = seen.get(key) ?? inspect(command, config.scriptPolicy);
    seen.set(key, found);
    return found;
  };
  return scriptCommands(config).map(({ title, command, dependents }) => {
    const found = inspectOnce(command);
    const text = command.words.join(' ');
    return 'why' in found
      ? { title, command: text, runsAs: undefined, defect: found, dependents }
      : { title, command: text, runsAs: found.runsAs, defect: undefined, dependents };
  });
}

/** What is not run, once for each cause. */
export function defectsOf(
  outlooks: readonly ScriptOutlook[],
): { readonly fact: string; readonly remedy: string; readonly dependents: readonly string[] }[] {
  const causes = new Map<
    string,
    { titles: string[]; why: string; remedy: string; dependents: Set<string> }
  >();
  for (const { title, defect, dependents } of outlooks) {
    if (defect === undefined) continue;
    const key = JSON.stringify([defect.why, defect.remedy]);
    const cause = causes.get(key) ?? { titles: [], ...defect, dependents: new Set() };
    causes.set(key, cause);
    cause.titles.push(title);
    for (const name of dependents) cause.dependents.add(name);
  }
  return [...causes.values()].map(({ titles: [title, ...others], why, remedy, dependents }) => ({
    fact: `${title} ${why}${others.length === 0 ? '' : ` (and so it is with ${others.join(', ')})`}`,
    remedy,
    dependents: [...dependents],
  }));
}

/** Says who runs what, and what nobody runs, where that is new since `before`, and gives them back. Tracked scripts say their defects themselves. */
export function sayOutlooks(
  log: Log,
  before: readonly ScriptOutlook[],
  outlooks: readonly ScriptOutlook[],
): readonly ScriptOutlook[] {
  const known = new Map(before.map((outlook) => [outlook.title, outlook]));
  const fresh = outlooks.filter((outlook) => !isSame(known.get(outlook.title), outlook));
  const untracked = fresh.filter(({ title }) => !isTracked(title));
  for (const { fact, remedy } of defectsOf(untracked)) log.warn(fact, { remedy });
  for (const { title, defect, dependents } of fresh) {
    if (defect !== undefined && dependents.length > 0) {
      log.warn(`never master while ${title} is not run: ${dependents.join(', ')}`);
    }
  }
  for (const [account, titles] of byAccount(fresh))
    log.info(`scripts run as ${account}: ${titles.join(', ')}`);
  return outlooks;
}

/** Account → titles of what runs as that account. */
export function byAccount(outlooks: readonly ScriptOutlook[]): ReadonlyMap<string, readonly string[]> {
  const accounts = new Map<string, string[]>();
  for (const { title, runsAs } of outlooks) {
    if (runsAs === undefined) continue;
    const titles = accounts.get(runsAs) ?? [];
    accounts.set(runsAs, titles);
    titles.push(title);
  }
  return accounts;
}

function isTracked(title: string): boolean {
  return title.startsWith('script ');
}
