// Who hears of a change: notify scripts of virtual routers and sync groups, and the FIFOs. The words are keepalived's.

import { isSame } from '../../model/diff.js';
import {
  type FailoverConfig,
  type Fifo,
  type NotifyScripts,
  noFailover,
  type ScriptCommand,
  type ScriptPolicy,
} from '../../model/failover-config.js';
import type { DestinationId, ServiceId } from '../../model/service-id.js';
import { seconds } from '../../model/units.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { messageOf } from '../message-of.js';
import { NotifyFifo } from './notify-fifo.js';
import {
  type NotifyState,
  notifyArguments,
  notifyLine,
  type SubjectKind,
  serverLine,
  serviceLine,
} from './notify-lines.js';
import { type ScriptMachine, thisMachine } from './script-machine.js';
import { ScriptQueue } from './script-queue.js';
import type { ScriptRunner } from './script-runner.js';

export type { NotifyState } from './notify-lines.js';

export interface Notifier {
  /** `priority` is the effective one. Returns at once; what one router says is carried out in order. */
  routerChanged(name: string, state: NotifyState, priority: number): void;
  /** A group has no priority: 0 is said whatever is given, as keepalived does. */
  groupChanged(name: string, state: NotifyState): void;
}

export type NotificationParts = {
  readonly clock: Clock;
  readonly log: Log;
  readonly runner: ScriptRunner;
  readonly machine?: ScriptMachine | undefined;
};

/** Scripts that were started for a stop may take so long before the director ends without them. */
export const stopBound = seconds(5);

type Subscriber = { readonly notify: NotifyScripts; readonly policy: ScriptPolicy };
type Said = {
  readonly kind: SubjectKind;
  readonly name: string;
  readonly state: NotifyState;
  priority: number;
};

/** Runs notify scripts and writes to FIFOs. */
export class Notifications implements Notifier {
  private config: FailoverConfig = noFailover;
  /** Each virtual router's scripts. */
  private routers: ReadonlyMap<string, Subscriber> = new Map();
  /** Routers that a reload removed, until they have ended: a word that is still to come is for the scripts they had. */
  private readonly departed = new Map<string, Subscriber>();
  private fifos: NotifyFifo[] = [];
  private readonly queue: ScriptQueue;
  /** The last state of each virtual router and group. */
  private readonly said = new Map<string, Said>();

  constructor(private readonly parts: NotificationParts) {
    this.queue = new ScriptQueue(parts);
  }

  /**
   * In force from now on. A FIFO whose configuration is the same stays open, and its script runs on; one that has ended is
   * started again.
   */
  configure(config: FailoverConfig): void {
    const isReload = this.config !== noFailover;
    for (const [name, subscriber] of this.routers) this.departed.set(name, subscriber);
    this.routers = subscribersOf(config);
    for (const name of this.routers.keys()) this.departed.delete(name);
    this.config = config;
    this.configureFifos(config.fifos, config.scriptPolicy);
    if (isReload && config.writesStatesOnReload) this.repeatStates();
  }

  /** A reload gives the virtual router another name; comes before its `configure`. */
  routerRenamed(before: string, after: string): void {
    const said = this.said.get(`INSTANCE ${before}`);
    this.said.delete(`INSTANCE ${before}`);
    if (said !== undefined) this.said.set(`INSTANCE ${after}`, { ...said, name: after });
  }

  routerChanged(name: string, state: NotifyState, priority: number): void {
    const found = this.routers.get(name) ?? this.departed.get(name);
    if (found === undefined) return;
    if (state === 'DELETED') this.departed.delete(name);
    const { notify, policy } = found;
    const isPriority = state === 'MASTER_PRIORITY' || state === 'BACKUP_PRIORITY';
    if (isPriority && !notify.notifiesPriority) return;
    // Without notify_deleted the end of a virtual router is called a fault.
    const word = state === 'DELETED' && notify.deleted === undefined ? 'FAULT' : state;
    this.report('INSTANCE', name, word, priority);
    this.remember({ kind: 'INSTANCE', name, state, priority });
    const own = { keyword: keywords[state], command: commandOf(notify, state) };
    const isForAny = !isPriority && state !== 'MASTER_RX_LOWER_PRI';
    this.run(
      'INSTANCE',
      name,
      own,
      isForAny ? anyOf(notify, 'INSTANCE', name, word, priority) : undefined,
      policy,
    );
  }

  /** keepalived 2.2 gives a group the priority 0. */
  groupChanged(name: string, state: NotifyState): void {
    const group = this.config.groups.find((one) => one.group.name === name);
    if (group === undefined) return;
    this.report('GROUP', name, state, 0);
    this.remember({ kind: 'GROUP', name, state, priority: 0 });
    const own = { keyword: keywords[state], command: commandOf(group.notify, state) };
    this.run('GROUP', name, own, anyOf(group.notify, 'GROUP', name, state, 0), this.config.scriptPolicy);
  }

  /** A server passed or failed its checks: for FIFOs that hear of virtual servers. */
  serverChanged(service: ServiceId, server: DestinationId, isUp: boolean): void {
    this.write('lvs', serverLine(service, server, isUp));
  }

  /** A service reached or lost its quorum. */
  serviceChanged(service: ServiceId, isUp: boolean): void {
    this.write('lvs', serviceLine(service, isUp));
  }

  /** Lines that were lost because a FIFO was full or not there. */
  get lostLineCount(): number {
    return this.fifos.reduce((sum, { droppedCount }) => sum + droppedCount, 0);
  }

  /** Waits for the scripts of what was said, at most `stopBound`; they run on by themselves then. FIFOs end. */
  async stop(): Promise<void> {
    const hasEnded = await this.queue.settle(stopBound);
    if (!hasEnded) this.parts.log.warn('notify scripts still run; the director does not wait for them');
    const closing = this.fifos.map((fifo) => fifo.close());
    this.fifos = [];
    await Promise.all(closing);
  }

  private configureFifos(fifos: readonly Fifo[], policy: ScriptPolicy): void {
    const old = new Set(this.fifos);
    const kept = fifos.map((fifo) => {
      const same = this.fifos.find((one) => isSame(one.fifo, fifo) && isSame(one.policy, policy));
      if (same !== undefined) old.delete(same);
      return { fifo, same };
    });
    for (const fifo of old) {
      fifo
        .close()
        .catch((error: unknown) => this.parts.log.warn(`FIFO ${fifo.fifo.path}: ${messageOf(error)}`));
    }
    const machine = this.parts.machine ?? thisMachine;
    this.fifos = kept.map(
      ({ fifo, same }) => same ?? new NotifyFifo(fifo, policy, { ...this.parts, machine }),
    );
    for (const { same } of kept) same?.revive();
  }

  private run(
    kind: SubjectKind,
    name: string,
    own: { readonly keyword: string; readonly command: ScriptCommand | undefined },
    any: ScriptCommand | undefined,
    policy: ScriptPolicy,
  ): void {
    const jobs = [
      { title: `${own.keyword} of ${name}`, command: own.command },
      { title: `notify of ${name}`, command: any },
    ];
    for (const { title, command } of jobs) {
      if (command === undefined || command.words.length === 0) continue;
      this.queue.add({ subject: `${kind} ${name}`, title, command, policy });
    }
  }

  private report(kind: SubjectKind, name: string, state: NotifyState, priority: number): void {
    this.write('vrrp', notifyLine(kind, name, state, priority));
  }

  private write(about: 'vrrp' | 'lvs', line: string): void {
    for (const one of this.fifos) if (one.fifo.hears === 'all' || one.fifo.hears === about) one.write(line);
  }

  private remember(said: Said): void {
    const key = `${said.kind} ${said.name}`;
    const before = this.said.get(key);
    if (said.state === 'STOP' || said.state === 'DELETED') this.said.delete(key);
    else if (said.state === 'MASTER' || said.state === 'BACKUP' || said.state === 'FAULT')
      this.said.set(key, said);
    else if (before !== undefined) before.priority = said.priority;
  }

  /** `fifo_write_vrrp_states_on_reload`. */
  private repeatStates(): void {
    for (const { kind, name, state, priority } of this.said.values())
      this.report(kind, name, state, priority);
  }
}

const keywords: Readonly<Record<NotifyState, string>> = {
  MASTER: 'notify_master',
  BACKUP: 'notify_backup',
  FAULT: 'notify_fault',
  STOP: 'notify_stop',
  DELETED: 'notify_deleted',
  MASTER_RX_LOWER_PRI: 'notify_master_rx_lower_pri',
  MASTER_PRIORITY: 'notify',
  BACKUP_PRIORITY: 'notify',
};

function commandOf(notify: NotifyScripts, state: NotifyState): ScriptCommand | undefined {
  switch (state) {
    case 'MASTER':
      return notify.master;
    case 'BACKUP':
      return notify.backup;
    case 'FAULT':
      return notify.fault;
    case 'STOP':
      return notify.stop;
    case 'DELETED':
      return notify.deleted;
    case 'MASTER_RX_LOWER_PRI':
      return notify.masterRxLowerPriority;
    case 'MASTER_PRIORITY':
    case 'BACKUP_PRIORITY':
      return undefined;
    default:
      return state satisfies never;
  }
}

/** `notify` with what has happened behind its own arguments. */
function anyOf(
  { any }: NotifyScripts,
  kind: SubjectKind,
  name: string,
  state: NotifyState,
  priority: number,
): ScriptCommand | undefined {
  return any && { ...any, words: [...any.words, ...notifyArguments(kind, name, state, priority)] };
}

function subscribersOf({ routers, scriptPolicy: policy }: FailoverConfig): ReadonlyMap<string, Subscriber> {
  return new Map(routers.map(({ router, notify }) => [router.name, { notify, policy }]));
}
