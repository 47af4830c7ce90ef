// Every program that a configuration has the director run, with a title for people.

import type { FailoverConfig, NotifyScripts, ScriptCommand } from './failover-config.js';
import type { Track } from './virtual-router.js';

export type TitledCommand = {
  /** `script check_nginx`, `notify_master of VI_1`, `the script of FIFO /run/fifo`. */
  readonly title: string;
  readonly command: ScriptCommand;
  /** Virtual routers for which its failure is a fault. */
  readonly dependents: readonly string[];
};

/** In the order of the configuration: tracked scripts, notify scripts, scripts of FIFOs. */
export function scriptCommands(config: FailoverConfig): TitledCommand[] {
  const { routers, groups, scripts, fifos } = config;
  return [
    ...scripts.map(({ name, command, account }) => ({
      title: `script ${name}`,
      command: { words: command, account },
      dependents: dependentsOf(name, config),
    })),
    ...routers.flatMap(({ router, notify }) => notifyCommands(notify, router.name)),
    ...groups.flatMap(({ group, notify }) => notifyCommands(notify, group.name)),
    ...fifos.flatMap(({ path, script }) =>
      script === undefined ? [] : [{ title: `the script of FIFO ${path}`, command: script, dependents: [] }],
    ),
  ];
}

/** Those for which its failure is a fault, and with them all of their sync group. */
function dependentsOf(script: string, { routers, groups }: FailoverConfig): string[] {
  const isFault = ({ kind, name, weight }: Track) => kind === 'script' && name === script && weight === 0;
  const own = new Set(
    routers.filter(({ router }) => router.tracks.some(isFault)).map(({ router }) => router.name),
  );
  for (const { group } of groups) {
    const isHeld = group.tracks.some(isFault) || group.members.some((name) => own.has(name));
    if (isHeld) for (const name of group.members) own.add(name);
  }
  return routers.map(({ router }) => router.name).filter((name) => own.has(name));
}

const notifyKeywords: Readonly<Record<Exclude<keyof NotifyScripts, 'notifiesPriority'>, string>> = {
  master: 'notify_master',
  backup: 'notify_backup',
  fault: 'notify_fault',
  stop: 'notify_stop',
  deleted: 'notify_deleted',
  masterRxLowerPriority: 'notify_master_rx_lower_pri',
  any: 'notify',
};

function notifyCommands({ notifiesPriority: _, ...notify }: NotifyScripts, name: string): TitledCommand[] {
  return Object.entries(notify).flatMap(([kind, command]) =>
    command === undefined || command.words.length === 0
      ? []
      : [{ title: `${notifyKeywords[kind as keyof typeof notify]} of ${name}`, command, dependents: [] }],
  );
}
