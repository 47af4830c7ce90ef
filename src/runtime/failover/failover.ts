// Failover as a whole: which virtual routers run, in which groups; what a reload makes of them; make before break when
// the director stops. The network is opened when the first virtual router is configured.

import type { CustodyStatus } from '../../dataplane/custody.js';
import type { Network } from '../../dataplane/network.js';
import { DirectorError } from '../../errors.js';
import type { Change } from '../../model/diff.js';
import { isRouterChange, type RouterChange } from '../../model/diff-failover.js';
import { type FailoverConfig, noFailover } from '../../model/failover-config.js';
import { micros, seconds, secondsText } from '../../model/units.js';
import { causeText } from '../../vrrp/cause.js';
import { effectivePriority, type NotifyState } from '../../vrrp/state.js';
import type { Catcher } from '../catcher.js';
import type { Clock } from '../clock.js';
import type { ConfiguredNotifier, Scripts } from '../create-scripts.js';
import type { NextRoles } from '../engine.js';
import type { DirectorEvent } from '../events.js';
import type { Log } from '../log.js';
import { messageOf } from '../message-of.js';
import type { AccountDatabase } from '../scripts/accounts.js';
import { enteringText, notifyWord } from '../scripts/notify-words.js';
import { type ScriptOutlook, sayOutlooks, scriptOutlooks } from '../scripts/script-outlook.js';
import { createSerial } from '../serial.js';
import type { Tracking } from '../tracking/trackers.js';
import { Announcer } from './announcer.js';
import { bounded } from './bounded.js';
import { framesOfTurn } from './frames-of-turn.js';
import { type RunningGroup, unite } from './group.js';
import { Holdings } from './holdings.js';
import type { Instance, InstanceParts, Report, Transition } from './instance.js';
import { Prober } from './prober.js';
import type { FailoverReading } from './reading.js';
import { ReportGate } from './report-gate.js';
import { Roster } from './roster.js';
import { Runner } from './runner.js';
import { ServedAddresses } from './served-addresses.js';
import { failoverView, readingOf, scriptViews } from './status.js';
import { mastersOf, type SwitchoverOutcome, Switchovers } from './switchover.js';
import { promptness, type TakeoverEntry, Timeline } from './timeline.js';
import { type FailoverView, noFailoverView } from './views.js';
import { VirtualMacs } from './virtual-macs.js';

export type FailoverParts = {
  readonly network: () => Network;
  readonly clock: Clock;
  readonly catcher: Pick<Catcher, 'run'>;
  readonly log: Log;
  readonly emit: (event: DirectorEvent) => void;
  readonly notifier: ConfiguredNotifier;
  readonly tracking: (onChange: () => void) => Tracking;
  readonly accounts: () => AccountDatabase;
  readonly inspect: Scripts['inspect'];
  /** Has the data plane forward as `served` says now; resolves when it does. */
  readonly publishServed: () => Promise<void>;
  /** The network around us has changed: servers that failed may be there again. */
  readonly hurryChecks: () => void;
  /** The kernel answers neighbours on that device as a router (IPv6 forwarding). */
  readonly isRouter: (device: string) => boolean;
};

/** Built beside what is in force; `adopt` is called when the table is. */
export type FailoverPlan = NextRoles & {
  readonly config: FailoverConfig;
  /** Of those that lead to `config`: what concerns virtual routers. */
  readonly changes: readonly RouterChange[];
};

type Running = {
  readonly network: Network;
  readonly runner: Runner;
  readonly holdings: Holdings;
  readonly announcer: Announcer;
  readonly prober: Prober;
  readonly macs: VirtualMacs;
  readonly tracking: Tracking;
  readonly instanceParts: InstanceParts;
};

/** Beyond the release budget: for the queues behind the last transition. */
const settleAllowance = seconds(2);

export class Failover {
  readonly served = new ServedAddresses();
  private running: Running | undefined;
  private config = noFailover;
  private readonly roster = new Roster();
  private readonly timeline = new Timeline();
  private outlooks: readonly ScriptOutlook[] = [];
  private readonly gate = new ReportGate();
  private readonly switchovers: Switchovers;
  private readonly notifyInTurn = createSerial();
  private publishing: Promise<void> | undefined;
  private onSettled: (() => void) | undefined;
  private isStarted = false;
  /** Steps of a configuration in force that have failed. */
  private unsettledCount = 0;

  constructor(private readonly parts: FailoverParts) {
    this.switchovers = new Switchovers(parts.clock);
  }

  /**
   * For `config`, to which `changes` lead from the one in force; opens the network when it needs one, and touches nothing else.
   * Throws what the network throws.
   */
  async plan(config: FailoverConfig, changes: readonly Change[]): Promise<FailoverPlan> {
    if (config.routers.length > 0 && this.running === undefined) {
      const running = this.createRunning();
      await running.network.start((event) => running.runner.onNetworkEvent(event));
      this.running = running;
    }
    return { config, changes: changes.filter(isRouterChange), ...this.served.expect(config) };
  }

  /**
   * Puts a plan in force whose addresses are adopted already, and never rejects: what fails is told, counted and tried again, and the
   * rest is in force. Resolves when everything but what gives up is done. A router whose configuration is the same notices
   * nothing.
   */
  async commit({ config, changes }: FailoverPlan): Promise<void> {
    const isFirst = !this.isStarted;
    this.isStarted = true;
    const { running, roster } = this;
    this.config = config;
    await this.attempt('scripts', () => {
      const found = scriptOutlooks(config, this.parts.inspect);
      this.outlooks = sayOutlooks(this.parts.log, this.outlooks, found);
    });
    if (running === undefined) {
      // FIFOs hear of virtual servers, too.
      await this.attempt('notifications', () => this.parts.notifier.configure(config));
      return;
    }
    const { runner, macs } = running;
    await this.attempt('virtual MACs', () => macs.prepare(roster.all, changes, config));
    const formerDevices = roster.all.map(({ router }) => router.virtualMacDevice);
    const { fresh, retired, changed, renamed } = roster.follow(
      changes,
      config,
      running.instanceParts,
      !isFirst,
    );
    macs.followed();
    for (const instance of fresh) runner.instances.set(instance.key, instance);
    const regrouped = roster.regroup(config.groups);
    for (const [before, after] of renamed) this.parts.notifier.routerRenamed(before, after);
    await this.attempt('virtual routers', () => runner.reopen([...changed, ...retired]));
    await this.attempt('notifications', () => this.parts.notifier.configure(config));
    await this.attempt('tracking', () =>
      running.tracking.configure(config.scripts, config.files, config.scriptPolicy),
    );
    await this.attempt('virtual MACs', () => runner.makeDevices(fresh));
    await this.attempt('virtual routers', () => runner.refresh());
    await this.attempt('virtual routers', () => runner.start(fresh));
    for (const group of regrouped)
      await this.attempt('sync groups', () => unite(group, (member, event) => runner.handle(member, event)));
    for (const instance of changed) runner.handle(instance, { kind: 'changed' });
    for (const instance of retired) runner.handle(instance, { kind: 'release' });
    await this.attempt('forwarding', () => this.publishServed());
    await Promise.all(roster.current.map((instance) => instance.idle()));
    for (const name of new Set(formerDevices)) await this.removeUnusedDevice(running, name);
  }

  private async attempt(what: string, step: () => void | Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.unsettledCount += 1;
      this.warn(`${what}: not all of the configuration is in force: ${messageOf(error)}`);
      this.running?.runner.retryLater();
    }
  }

  /** Make before break: every master says priority 0 and forwards until its successor is heard. Bounded. */
  async release(): Promise<void> {
    const { running, roster } = this;
    if (running === undefined) return;
    const budgets = roster.all.map(({ holdsAddresses, router }) =>
      holdsAddresses ? router.releaseBudget : 0,
    );
    for (const { members } of roster.groups) {
      const [first] = members;
      if (first !== undefined) running.runner.handle(first, { kind: 'release' });
    }
    const stopped = new Promise<void>((resolve) => {
      this.onSettled = resolve;
      this.reportSettled();
    });
    const settled = stopped.then(() => this.allIdle());
    await bounded(
      this.parts,
      settled,
      micros(Math.max(0, ...budgets) + settleAllowance),
      'giving up the addresses',
    );
  }

  /**
   * The end, at once: what still holds addresses gives them up; devices, sockets and guardian go. Before a restart masters
   * leave what they have to the next start. Safe to call twice.
   */
  async stop(isRestart = false): Promise<void> {
    const { running, roster } = this;
    if (running === undefined) {
      await this.parts.notifier.stop();
      return;
    }
    this.running = undefined;
    const { runner, network } = running;
    const left = new Set<Instance>();
    if (isRestart) {
      for (const instance of roster.all) if (await instance.leave()) left.add(instance);
    }
    for (const instance of roster.all) if (!left.has(instance)) runner.handle(instance, { kind: 'stop' });
    this.switchovers.close();
    await bounded(this.parts, this.allIdle(), settleAllowance, 'removing the addresses');
    running.announcer.stop();
    running.prober.stop();
    running.tracking.stop();
    runner.close();
    for (const instance of roster.all) {
      if (!left.has(instance)) await this.removeDevice(running, instance.router.virtualMacDevice);
    }
    await this.parts.notifier.stop();
    await network.stop();
  }

  /**
   * Has masters give up to their peers: the virtual router or sync group `name`, or all that are master here.
   * `isWaiting`: resolves when it is known how that ended. Throws NOT_FOUND or NOT_MASTER, and nothing happens then.
   */
  async switchover(name: string | undefined, isWaiting: boolean): Promise<readonly SwitchoverOutcome[]> {
    const { runner, targets } = this.requireTargets(name);
    const wanted = mastersOf(targets, name !== undefined);
    const outcomes = wanted.map((instance) => this.switchovers.watch(instance));
    for (const instance of wanted) runner.handle(instance, { kind: 'switchover' });
    if (isWaiting) return Promise.all(outcomes);
    const text = 'priority 0 is said; this director forwards until a successor is heard';
    return wanted.map((instance) => ({
      router: instance.name,
      kind: 'waiting',
      text,
      by: undefined,
      took: undefined,
    }));
  }

  /** After a switchover: priorities decide again. Gives the names that this was said to. Throws NOT_FOUND. */
  allowPreemption(name: string | undefined): readonly string[] {
    const { runner, targets } = this.requireTargets(name);
    for (const instance of targets) runner.handle(instance, { kind: 'allow-preemption' });
    return targets.map((instance) => instance.name);
  }

  view(): FailoverView {
    const { running, roster, timeline, config, unsettledCount } = this;
    const { lostLineCount } = this.parts.notifier;
    const scripts = scriptViews(this.outlooks, running?.tracking.status.scripts ?? []);
    if (running === undefined) return { ...noFailoverView, scripts, lostLineCount, unsettledCount };
    const now = this.parts.clock.now();
    const rest = { strays: running.runner.strays.view, scripts, lostLineCount, unsettledCount };
    return { ...failoverView(roster, config, timeline, now, running.holdings), ...rest };
  }

  /** What of ours on the network somebody else has changed. */
  get custody(): CustodyStatus {
    return this.running?.network.custody() ?? { putBack: 0, deviations: [] };
  }

  /** What the dumps show. */
  reading(routerId: string | undefined): FailoverReading {
    const { running, roster, config } = this;
    const { clock } = this.parts;
    return readingOf(roster, config, routerId, {
      holdings: running?.holdings,
      status: running?.tracking.status ?? { scripts: [], files: [] },
      accounts: this.parts.accounts(),
      links: running?.network.links() ?? [],
      now: clock.now(),
      wall: clock.wall(),
    });
  }

  private createRunning(): Running {
    const { clock, catcher, isRouter } = this.parts;
    const network = this.parts.network();
    const frames = framesOfTurn(network, clock);
    const holdings = new Holdings(network, (owner, text) => {
      const instance = runner.instances.get(owner);
      if (instance === undefined) this.warn(text);
      else this.report(instance, { level: 'warning', code: 'address-failed', text });
      runner.retryLater();
    });
    const announcer = new Announcer({ network: frames, clock, isRouter, pacing: () => this.config.pacing });
    const prober = new Prober({ network: frames, clock, catcher });
    const macs = new VirtualMacs({
      network,
      holdings,
      report: (instance, report) => this.report(instance, report),
      onTried: () => runner.refreshSoon(),
    });
    const tracking = this.parts.tracking(() => runner.retrack());
    const runner: Runner = new Runner({
      network,
      clock,
      catcher,
      holdings,
      prober,
      macs,
      observe: () => tracking,
      isVirtual: this.served.isVirtual,
      groupOf: (instance) => this.roster.groupOf(instance),
      onStep: (group) => this.onStep(group),
      report: (instance, report) => this.report(instance, report),
      onLeaseExpired: (instance) => this.onLeaseExpired(instance),
      onNetworkWarning: (message) => this.warn(message),
    });
    const instanceParts: InstanceParts = {
      network,
      links: frames.links,
      clock,
      holdings,
      announcer,
      prober,
      forward: (instance, isOn) => {
        this.served.forward(instance.key, instance.router, isOn);
        return this.publishServed();
      },
      notify: (instance, state, priority) => this.notify(instance, state, priority),
      feed: (instance, event) => runner.handle(instance, event),
      onTransition: (instance, transition) => this.onTransition(instance, transition),
      onHeld: () => runner.lookSoon(),
      causeOf: (name) => this.roster.current.find((one) => one.name === name)?.state.cause,
      membersWith: (instance) => this.roster.groupOf(instance).members,
      onTakeover: (instance, takeover) => this.onTakeover(instance, takeover),
      report: (instance, report) => this.report(instance, report),
    };
    return { network, runner, holdings, announcer, prober, macs, tracking, instanceParts };
  }

  private onStep(group: RunningGroup): void {
    this.reportGroup(group);
    for (const instance of group.members) {
      if (instance.purpose !== 'running' && instance.isStopped)
        this.parts.catcher.run(() => this.forget(instance));
      else this.endPredecessors(instance);
    }
    this.reportSettled();
  }

  /** Whoever restarts under another identity is replaced as soon as it is known who is master there. */
  private endPredecessors(instance: Instance): void {
    const { state, name, purpose } = instance;
    const isDecided = state.kind === 'master' || (state.kind === 'backup' && state.master !== undefined);
    if (!isDecided || purpose !== 'running') return;
    for (const other of this.roster.all) {
      if (other.name !== name || other.purpose !== 'restarting' || other.isStopped) continue;
      this.running?.runner.handle(other, { kind: 'stop' });
    }
  }

  private async forget(instance: Instance): Promise<void> {
    const { roster, running } = this;
    if (running === undefined || !roster.remove(instance)) return;
    await instance.idle();
    running.runner.forget(instance);
    const { name } = instance;
    await this.removeUnusedDevice(running, instance.router.virtualMacDevice);
    if (instance.purpose !== 'removed') return;
    this.parts.log.info(`virtual router ${name} is removed`);
    const priority = effectivePriority(instance.state);
    await this.attempt('notifications', () => this.parts.notifier.routerChanged(name, 'DELETED', priority));
    if (!roster.all.some((other) => other.name === name)) this.gate.forget(name);
  }

  private async removeUnusedDevice(running: Running, name: string | undefined): Promise<void> {
    if (this.roster.all.some(({ router }) => router.virtualMacDevice === name)) return;
    await this.removeDevice(running, name);
  }

  private async removeDevice({ network, holdings }: Running, name: string | undefined): Promise<void> {
    if (name === undefined) return;
    await holdings
      .change(() => network.removeVirtualMac(name))
      .catch((error: unknown) => {
        this.parts.log.warn(`can't remove the device ${name}`, { reason: String(error) });
      });
  }

  private onTransition(instance: Instance, transition: Transition): void {
    const { from, to, cause } = transition;
    const { clock, log, emit } = this.parts;
    const { name: router } = instance;
    const why = causeText(cause);
    const priority = effectivePriority(instance.state);
    this.timeline.add({ at: clock.wall(), router, from, to }, cause);
    const isBad = to === 'fault' || cause.kind === 'stalled';
    log[isBad ? 'warn' : 'info'](`virtual router ${router}: ${from} → ${to}${enteringText(to)}`, {
      why,
      priority,
    });
    emit({ kind: 'virtual-router-changed', router, from, to, cause: cause.kind, why, priority });
    this.switchovers.onTransition(instance, transition);
    if (to === 'master' && from !== 'releasing') this.parts.hurryChecks();
  }

  private onTakeover({ name: router }: Instance, { took, budget, isWithin, why }: TakeoverEntry): void {
    const fields = { took: secondsText(took), budget: secondsText(budget), why };
    const text = `virtual router ${router} was taken over ${promptness(took, budget, isWithin)}`;
    this.parts.log[isWithin ? 'info' : 'warn'](text, fields);
    this.parts.emit({ kind: 'takeover', router, took, budget, isWithin, why });
  }

  private onLeaseExpired({ name: router }: Instance): void {
    this.parts.log.error('the advert lease ran out: this process stood still for too long', { router });
    this.parts.emit({ kind: 'lease-expired', router });
  }

  private report(instance: Instance, { level, code, text }: Report): void {
    const { clock, log, emit } = this.parts;
    const { name: router, counters } = instance;
    counters.reports[code] = (counters.reports[code] ?? 0) + 1;
    // A split is over, or half of it: until then the servers may have been on the other side.
    if (code === 'second-master') this.parts.hurryChecks();
    const { isWritten, keptBack } = this.gate.admit(router, code, clock.now());
    if (!isWritten) return;
    const fields = { router, code, ...(keptBack > 0 ? { keptBack } : {}) };
    log[level === 'warning' ? 'warn' : level](text, fields);
    emit({ kind: 'virtual-router-report', router, level, code, text });
  }

  private warn(message: string): void {
    this.parts.log.warn(message);
    this.parts.emit({ kind: 'warning', message });
  }

  private notify({ name, state, purpose, router }: Instance, what: NotifyState, priority: number): void {
    if (what === 'priority' && purpose === 'running') {
      this.parts.log.info(`virtual router ${name}: priority is ${priority} now`, {
        configured: router.priority,
      });
    }
    const word = notifyWord(what, state.kind);
    // The scripts of a router that restarts hear of its successor; a removed one has a word of its own.
    if (word !== undefined && purpose === 'running') this.parts.notifier.routerChanged(name, word, priority);
  }

  /** After its members' queues: keepalived's priority of a group is 0. */
  private reportGroup(group: RunningGroup): void {
    const { config, state, members, reportedState } = group;
    if (config === undefined || state === undefined || state === reportedState) return;
    group.reportedState = state;
    const { name } = config.group;
    this.parts.log.info(`sync group ${name}: ${state}`);
    this.parts.emit({ kind: 'sync-group-changed', group: name, state });
    void this.notifyInTurn(async () => {
      await Promise.all(members.map((member) => member.idle()));
      const word = notifyWord(state, state === 'stop' ? 'initialize' : state);
      if (word === undefined) return;
      await this.attempt('notifications', () => this.parts.notifier.groupChanged(name, word));
    });
  }

  /** Once for everything that changes in this turn. */
  private publishServed(): Promise<void> {
    this.publishing ??= Promise.resolve().then(() => {
      this.publishing = undefined;
      return this.parts.publishServed();
    });
    return this.publishing;
  }

  private requireTargets(name: string | undefined): {
    readonly runner: Runner;
    readonly targets: readonly Instance[];
  } {
    const { running, roster } = this;
    const targets = name === undefined ? roster.current : roster.find(name);
    if (running === undefined || targets === undefined) {
      throw new DirectorError(
        'NOT_FOUND',
        `there is no virtual router or sync group ${name ?? ''}`.trimEnd() + roster.knownText(name),
      );
    }
    return { runner: running.runner, targets };
  }

  private reportSettled(): void {
    if (this.onSettled === undefined || !this.roster.all.every(({ isStopped }) => isStopped)) return;
    this.onSettled();
    this.onSettled = undefined;
  }

  private async allIdle(): Promise<void> {
    await Promise.all(this.roster.all.map((instance) => instance.idle()));
    await this.notifyInTurn(async () => {});
  }
}
