// Everything by which failover runs programs, made of its parts: one runner for tracked scripts, notify scripts and FIFOs.

import type { FailoverConfig, ScriptCommand, ScriptPolicy } from '../model/failover-config.js';
import type { Catcher } from './catcher.js';
import type { DirectorEvent } from './events.js';
import type { Log } from './log.js';
import type { AccountDatabase } from './scripts/accounts.js';
import { Notifications, type Notifier } from './scripts/notifier.js';
import type { Inspection } from './scripts/script-inspection.js';
import { thisMachine } from './scripts/script-machine.js';
import { ProcessScriptRunner } from './scripts/script-runner.js';
import { Trackers, type Tracking } from './tracking/trackers.js';

/** Whoever runs scripts hears of each configuration before its virtual routers do. */
export type ConfiguredNotifier = Notifier & {
  configure(config: FailoverConfig): void;
  /** What was said of one virtual router is of another name from here on. */
  routerRenamed(before: string, after: string): void;
  /** Servers and services that go up and down are written to FIFOs. */
  hear(event: DirectorEvent): void;
  /** Lines for FIFOs that nobody will read: the FIFO was full or not there. */
  readonly lostLineCount: number;
  /** Waits for scripts of what was said, bounded; then everything that we started and that shall not outlive us is gone. */
  stop(): Promise<void>;
};

export type Scripts = {
  readonly notifier: ConfiguredNotifier;
  readonly tracking: (onChange: () => void) => Tracking;
  readonly accounts: () => AccountDatabase;
  /** As whom a command would run now. */
  readonly inspect: (command: ScriptCommand, policy: ScriptPolicy) => Inspection;
};

/** Runs real programs; starts nothing before a configuration asks for it. */
export function createScripts(catcher: Catcher, log: Log): Scripts {
  const { clock } = catcher;
  const runner = new ProcessScriptRunner({ log, catcher });
  const notifications = new Notifications({ clock, log, runner });
  return {
    notifier: {
      configure: (config) => {
        if (runsPrograms(config)) runner.prepare();
        notifications.configure(config);
      },
      routerRenamed: (before, after) => notifications.routerRenamed(before, after),
      routerChanged: (name, state, priority) => notifications.routerChanged(name, state, priority),
      groupChanged: (name, state) => notifications.groupChanged(name, state),
      hear: (event) => hear(notifications, event),
      get lostLineCount() {
        return notifications.lostLineCount;
      },
      stop: async () => {
        await notifications.stop();
        await runner.stop();
      },
    },
    tracking: (onChange) => new Trackers({ clock, log, runner }, onChange),
    accounts: thisMachine.accounts,
    inspect: (command, policy) => runner.inspect(command, policy),
  };
}

function hear(notifications: Notifications, event: DirectorEvent): void {
  switch (event.kind) {
    case 'server-up':
    case 'server-down':
      notifications.serverChanged(event.service, event.server, event.kind === 'server-up');
      return;
    case 'service-up':
    case 'service-down':
      notifications.serviceChanged(event.service, event.kind === 'service-up');
      return;
    default:
  }
}

function runsPrograms({ routers, groups, scripts, fifos }: FailoverConfig): boolean {
  const notifies = [...routers, ...groups].map(({ notify }) => notify);
  const hasNotify = notifies.some(({ notifiesPriority: _, ...commands }) =>
    Object.values(commands).some(Boolean),
  );
  return scripts.length > 0 || fifos.length > 0 || hasNotify;
}
