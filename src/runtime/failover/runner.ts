// Runs the virtual routers: hands each event to its group's step, executes what comes of it, and sleeps until the next
// deadline of any of them. Which routers there are is the business of failover.ts.

import type { Belonging } from '../../dataplane/custody.js';
import type { Link, Network, NetworkEvent } from '../../dataplane/network.js';
import { familyOf, type IpAddress, ipBytes } from '../../model/address.js';
import { isSame } from '../../model/diff.js';
import { addMicros, type Micros, micros, seconds } from '../../model/units.js';
import type { Track } from '../../model/virtual-router.js';
import { receive } from '../../vrrp/receive.js';
import { nextDeadline, type VrrpEvent } from '../../vrrp/state.js';
import { leaseOf } from '../../vrrp/timers.js';
import { judge, type Observations } from '../../vrrp/tracking.js';
import type { Catcher } from '../catcher.js';
import type { Cancel, Clock } from '../clock.js';
import { messageOf } from '../message-of.js';
import { AdvertListeners } from './advert-listeners.js';
import { CustodyTimer } from './custody-timer.js';
import type { RunningGroup } from './group.js';
import type { Findings, Holdings } from './holdings.js';
import type { Instance, Report } from './instance.js';
import { placementOf } from './placement.js';
import type { Prober } from './prober.js';
import { Strays, strayText } from './strays.js';
import type { VirtualMacs } from './virtual-macs.js';

export type RunnerParts = {
  readonly network: Network;
  readonly clock: Clock;
  readonly catcher: Pick<Catcher, 'run'>;
  readonly holdings: Holdings;
  readonly prober: Prober;
  readonly macs: VirtualMacs;
  readonly observe: () => Omit<Observations, 'devices'>;
  /** The address comes and goes with a virtual router. */
  readonly isVirtual: (address: IpAddress) => boolean;
  readonly groupOf: (instance: Instance) => RunningGroup;
  /** The step of the group is executed. */
  readonly onStep: (group: RunningGroup) => void;
  readonly report: (instance: Instance, report: Report) => void;
  readonly onLeaseExpired: (instance: Instance) => void;
  readonly onNetworkWarning: (message: string) => void;
};

/**
 * What could not be opened or made is tried again after it. A device not before, whatever changes meanwhile: to try one is
 * a change of devices itself.
 */
const retryPause = seconds(5);
/** Hundreds that become master at one moment do so in slices of this. */
const alarmBudget = micros(10_000);

export class Runner {
  /** By key; those that give up are among them. */
  readonly instances = new Map<string, Instance>();
  readonly strays = new Strays();
  private readonly listeners: AdvertListeners;
  private links: readonly Link[] = [];
  private ownSources: readonly IpAddress[] = [];
  private alarm: { readonly at: Micros; readonly cancel: Cancel } | undefined;
  private cancelRetry: Cancel | undefined;
  private cancelRefresh: Cancel | undefined;
  /** To be started as soon as it is known whether they may. */
  private readonly waiting = new Set<Instance>();
  private isStepping = false;
  private isTogether = false;
  private readonly inbox: (() => void)[] = [];
  private readonly custodyTimer: CustodyTimer;
  private isClosed = false;

  constructor(private readonly parts: RunnerParts) {
    this.listeners = new AdvertListeners(parts.network);
    const { clock, holdings } = parts;
    this.custodyTimer = new CustodyTimer({
      clock,
      holdings,
      devices: () => this.devices(),
      onFound: (findings) => this.onFound(findings),
    });
  }

  /**
   * Starts virtual routers, each when the scripts that may be its fault have a first result: a start should not begin by
   * report scripts of a fault that nobody has seen. keepalived waits for the same.
   */
  start(instances: readonly Instance[]): void {
    for (const instance of instances) this.waiting.add(instance);
    this.startDecided();
  }

  /** One event for one virtual router and its group. What an action causes meanwhile waits for its turn. */
  handle(instance: Instance, event: VrrpEvent): void {
    if (event.kind === 'release' || event.kind === 'stop') this.waiting.delete(instance);
    this.inbox.push(() => this.step(instance, event));
    this.together(() => this.drain());
  }

  private drain(): void {
    if (this.isStepping) return;
    this.isStepping = true;
    try {
      for (let next = this.inbox.shift(); next !== undefined; next = this.inbox.shift()) next();
    } finally {
      this.isStepping = false;
    }
  }

  /** The alarm, which looks at every virtual router, is set once for all that happens to any of them. */
  private together(action: () => void): void {
    if (this.isTogether) {
      action();
      return;
    }
    this.isTogether = true;
    try {
      action();
    } finally {
      this.isTogether = false;
      this.rearm();
    }
  }

  onNetworkEvent(event: NetworkEvent): void {
    if (!this.isClosed) this.run(() => this.onEvent(event));
  }

  private onEvent(event: NetworkEvent): void {
    switch (event.kind) {
      case 'advert':
        this.onAdvert(event);
        return;
      case 'links-changed':
        this.refreshSoon();
        return;
      case 'lease-expired': {
        const instance = this.instances.get(event.router);
        if (instance === undefined) return;
        this.parts.onLeaseExpired(instance);
        this.handle(instance, { kind: 'lease-expired' });
        return;
      }
      case 'frame':
        this.parts.prober.onFrame(event.device, event.frame);
        return;
      case 'warning':
        this.parts.onNetworkWarning(event.message);
        return;
      default:
        event satisfies never;
    }
  }

  /** Makes the devices that `instances` need. What can't be made is a fault, told and tried again. */
  async makeDevices(instances: readonly Instance[]): Promise<void> {
    this.links = this.parts.network.links();
    for (const instance of instances) {
      const placement = placementOf(instance.router, this.links, this.parts.isVirtual);
      if (placement.kind === 'fault' && placement.lack !== 'gone') await this.parts.macs.make(instance);
    }
  }

  /** Looks at devices, addresses and tracked things, and tells the virtual routers what is new. */
  refresh(): void {
    if (this.isClosed) return;
    this.cancelRefresh?.();
    this.cancelRefresh = undefined;
    const before = this.links;
    this.links = this.parts.network.links();
    const instances = [...this.instances.values()];
    // A master that stood still too long must not act on what it sees first.
    this.together(() => this.tellAll(instances));
    this.custodyTimer.lookSoon();
    this.reportReturned(before);
    this.armRetry();
  }

  private tellAll(instances: readonly Instance[]): void {
    for (const instance of instances)
      if (this.isPastLease(instance)) this.handle(instance, { kind: 'deadline' });
    for (const instance of instances) this.settle(instance);
    this.ownSources = instances.flatMap(({ sender: { source } }) => (source === undefined ? [] : [source]));
    for (const instance of instances) this.judge(instance);
    for (const instance of instances) this.withdraw(instance);
  }

  /** Has them send from where their configuration has them now, before anything else is done for them. */
  reopen(instances: readonly Instance[]): void {
    this.links = this.parts.network.links();
    for (const instance of instances) this.settle(instance);
  }

  /** The scripts and files that are tracked say something new. */
  retrack(): void {
    this.run(() => {
      this.together(() => {
        for (const instance of [...this.instances.values()]) this.judge(instance);
      });
      this.startDecided();
    });
  }

  /** The instance has stopped: it neither sends nor listens any more. */
  forget(instance: Instance): void {
    this.listeners.leave(instance.key);
    instance.sender.close();
    this.parts.network.follow(instance.key, undefined);
    this.instances.delete(instance.key);
    this.waiting.delete(instance);
    this.parts.macs.forget(instance);
    this.rearm();
  }

  close(): void {
    this.isClosed = true;
    this.alarm?.cancel();
    this.alarm = undefined;
    this.cancelRetry?.();
    this.cancelRefresh?.();
    this.custodyTimer.close();
  }

  private step(instance: Instance, event: VrrpEvent): void {
    if (!this.instances.has(instance.key)) return;
    const group = this.parts.groupOf(instance);
    // The state has moved on: one action that fails must not take the others of the step along.
    for (const { instance: member, action } of group.step(instance, event, this.parts.clock.now())) {
      this.run(() => member.perform(action));
    }
    for (const member of group.members) this.run(() => member.endStep());
    this.run(() => this.parts.onStep(group));
  }

  /** What fails has no caller that could be told; a look at everything makes up for it. */
  private run(action: () => void): void {
    this.parts.catcher.run(action, () => this.retryLater());
  }

  private rearm(): void {
    if (this.isTogether) return;
    let first: number = Number.POSITIVE_INFINITY;
    for (const { state } of this.instances.values()) first = Math.min(first, nextDeadline(state) ?? first);
    if (this.isClosed || first === Number.POSITIVE_INFINITY) {
      this.alarm?.cancel();
      this.alarm = undefined;
      return;
    }
    if (this.alarm?.at === first) return;
    this.alarm?.cancel();
    const at = micros(first);
    this.alarm = { at, cancel: this.parts.clock.at(at, () => this.onAlarm()) };
  }

  private onAlarm(): void {
    this.alarm = undefined;
    const { clock } = this.parts;
    const now = clock.now();
    this.together(() => {
      for (const instance of [...this.instances.values()]) {
        const deadline = nextDeadline(instance.state);
        if (deadline === undefined || deadline > now) continue;
        this.handle(instance, { kind: 'deadline' });
        // Those that are left ring again at once, behind what waits for this turn to end.
        if (clock.now() - now >= alarmBudget) return;
      }
    });
  }

  private isPastLease({ state, router }: Instance): boolean {
    return (
      state.kind === 'master' &&
      this.parts.clock.now() - state.advertAt + router.advertInterval > leaseOf(router)
    );
  }

  private onAdvert(event: Extract<NetworkEvent, { kind: 'advert' }>): void {
    const virtualRouterId = event.message[1];
    if (virtualRouterId === undefined) {
      this.strays.noteShort();
      return;
    }
    const neighbours = this.listeners
      .membersAt(event.device, familyOf(event.source))
      .flatMap((key) => this.instances.get(key) ?? []);
    const listeners = neighbours.filter(({ router }) => router.virtualRouterId === virtualRouterId);
    if (listeners.length === 0) this.onStray(event, neighbours);
    for (const instance of listeners) this.hear(instance, event);
  }

  private onStray(event: Extract<NetworkEvent, { kind: 'advert' }>, neighbours: readonly Instance[]): void {
    // A bridge may send ours back to another device of ours.
    if (this.ownSources.includes(event.source)) return;
    const sender = this.strays.note(
      event,
      neighbours.map(({ router }) => router),
    );
    const claimed = neighbours.find(({ name }) => name === sender.claims?.router);
    const text = claimed && strayText(sender, claimed.router.virtualRouterId);
    if (claimed === undefined || text === undefined) return;
    this.parts.report(claimed, { level: 'error', code: 'other-vrid', text });
  }

  private hear(instance: Instance, event: Extract<NetworkEvent, { kind: 'advert' }>): void {
    const { message, source, destination, ttl } = event;
    const { state, router, counters } = instance;
    const arrival = { source, destination, ttl, isMulticast: isMulticast(destination) };
    const followed = state.kind === 'backup' ? state.master?.source : undefined;
    const reception = receive(message, arrival, { router, ownSources: this.ownSources, followed });
    if (reception.kind === 'rejected') {
      counters.rejected[reception.reason] += 1;
      const { reason, detail } = reception;
      counters.lastRejected = { source, reason, detail };
      this.handle(instance, { kind: 'rejected', reason, detail, source });
      return;
    }
    counters.received += 1;
    const isGoodbye = reception.advert.priority === 0;
    if (isGoodbye) counters.priorityZeroReceived += 1;
    instance.releasedAt = isGoodbye ? (instance.releasedAt ?? this.parts.clock.now()) : undefined;
    this.handle(instance, { kind: 'advert', advert: reception.advert });
  }

  /** Device, sender and listener in line with the machine. */
  private settle(instance: Instance): void {
    if (this.parts.macs.isBusy(instance)) return;
    const placement = placementOf(instance.router, this.links, this.parts.isVirtual);
    if (placement.kind === 'fault') {
      if (!this.isMending(instance, placement.lack)) instance.ownFault = placement.reason;
      return;
    }
    const { router, key } = instance;
    const { listener, device } = placement;
    const group = router.delivery.kind === 'multicast' ? router.delivery.group : undefined;
    try {
      const isNew = instance.sender.open(router, placement);
      this.listeners.join(key, listener.device, listener.ifindex, router.family, group);
      instance.ownFault = undefined;
      instance.mustRetry = false;
      if (isNew) instance.onReopened();
    } catch (error) {
      instance.ownFault = `interface ${device}: ${messageOf(error)}`;
      instance.mustRetry = true;
    }
  }

  /** The virtual MAC's device is being made, or put back by custody: no fault before that has failed. */
  private isMending(instance: Instance, lack: 'gone' | 'unmade' | 'down'): boolean {
    const { macs } = this.parts;
    const hasParent = this.links.some(({ name }) => name === instance.router.device);
    // With its parent it has gone, and is made anew on another.
    if (!hasParent) macs.forget(instance);
    if (lack === 'gone' || instance.mustRetry || instance.purpose !== 'running') return false;
    if (macs.isMade(instance)) this.custodyTimer.lookSoon();
    else if (!macs.isLeft(instance)) void macs.make(instance);
    return macs.isMade(instance) || macs.isBusy(instance);
  }

  /** The socket of a device or address that has gone is closed when the goodbye has been tried. */
  private withdraw(instance: Instance): void {
    const placement = placementOf(instance.router, this.links, this.parts.isVirtual);
    if (placement.kind === 'ready' || this.parts.macs.isBusy(instance)) return;
    if (placement.lack !== 'gone' && this.parts.macs.isMade(instance)) return;
    this.listeners.leave(instance.key);
    instance.sender.close();
  }

  private startDecided(): void {
    this.together(() => {
      for (const instance of [...this.waiting]) {
        if (this.isUndecided(this.parts.groupOf(instance))) continue;
        const isResumed = instance.isLeftForUs;
        this.waiting.delete(instance);
        this.handle(instance, { kind: 'start', isResumed });
      }
    });
  }

  private isUndecided(group: RunningGroup): boolean {
    const { scripts, scriptDefects } = this.parts.observe();
    const lacksResult = ({ kind, name, weight }: Track) =>
      kind === 'script' && weight === 0 && scripts.get(name) === undefined && !scriptDefects?.has(name);
    return group.members.some((member) => group.tracksOf(member).some(lacksResult));
  }

  private judge(instance: Instance): void {
    const { router, state, ownFault } = instance;
    const tracks = this.parts.groupOf(instance).tracksOf(instance);
    const { priority, faults } = judge(router.priority, tracks, this.observations(tracks, instance));
    const all = [...new Set(ownFault === undefined ? faults : [ownFault, ...faults])];
    if (priority === state.priority && isSame(all, state.faults)) return;
    this.handle(instance, { kind: 'tracking', priority, faults: all });
  }

  /** Of a device that has a fault of its own already, nothing more is said. */
  private observations(
    tracks: readonly Track[],
    { router, ownFault }: Pick<Instance, 'router' | 'ownFault'>,
  ): Observations {
    const devices = new Map<string, boolean>();
    for (const { kind, name } of tracks) {
      if (kind !== 'interface') continue;
      const isUp = this.links.find((link) => link.name === name)?.isUp === true;
      devices.set(name, isUp || (name === router.device && ownFault !== undefined));
    }
    const { scripts, scriptDefects, files } = this.parts.observe();
    return { devices, scripts, scriptDefects, files };
  }

  /** Something of ours was added or could not be: that is looked after from now on. */
  lookSoon(): void {
    this.custodyTimer.lookSoon();
  }

  /** Of virtual MACs, each once. */
  private devices(): readonly Belonging[] {
    const devices = new Map<string, Belonging>();
    const { macs } = this.parts;
    for (const instance of this.instances.values()) {
      const { virtualMacDevice: name, virtualMac: mac, device: parent } = instance.router;
      const isOurs = (macs.isMade(instance) || macs.isLeft(instance)) && !macs.isBusy(instance);
      if (name === undefined || mac === undefined || !isOurs) continue;
      if (!this.links.some((link) => link.name === parent)) continue;
      devices.set(name, {
        kind: 'virtual-mac',
        name,
        parent,
        mac,
        text: `${name} on ${parent}`,
        isOurDoing: false,
      });
    }
    return [...devices.values()];
  }

  private onFound({ news, helped }: Findings): void {
    for (const { belonging, owner, text, isBack } of news) {
      const isUser = ({ key, router }: Instance) =>
        belonging.kind === 'virtual-mac' ? router.virtualMacDevice === belonging.name : key === owner;
      const users = [...this.instances.values()].filter(isUser);
      const [first] = users;
      if (first === undefined) continue;
      const [level, code] = isBack ? (['warning', 'put-back'] as const) : (['error', 'taken-away'] as const);
      this.parts.report(first, { level, code, text });
      if (belonging.kind !== 'virtual-mac') continue;
      for (const user of users) this.parts.macs.note(user, isBack ? 'made' : 'left');
      this.refreshSoon();
    }
    for (const owner of helped) this.instances.get(owner)?.onRestored();
  }

  /** Announcements went nowhere while a device was down: they are said again. */
  private reportReturned(before: readonly Link[]): void {
    const wasDown = (name: string) => before.some((link) => link.name === name && !link.isUp);
    const returned = this.links.filter(({ name, isUp }) => isUp && wasDown(name)).map(({ name }) => name);
    if (returned.length === 0) return;
    for (const instance of [...this.instances.values()]) {
      if (!instance.holdsAddresses) continue;
      const { addresses, excludedAddresses } = instance.router;
      const devices = new Set([...addresses, ...excludedAddresses].flatMap(({ device }) => device ?? []));
      for (const device of returned.filter((name) => devices.has(name))) {
        instance.missed(device, `interface ${device} was down`);
      }
    }
  }

  refreshSoon(): void {
    if (this.isClosed) return;
    this.cancelRefresh ??= this.parts.clock.soon(() => this.refresh());
  }

  /** Whatever could not be done is tried again by and by. */
  private armRetry(): void {
    const { holdings } = this.parts;
    if (holdings.hasLeftovers || [...this.instances.values()].some(({ mustRetry }) => mustRetry))
      this.retryLater();
  }

  retryLater(): void {
    const { clock, holdings } = this.parts;
    if (this.isClosed || this.cancelRetry !== undefined) return;
    this.cancelRetry = clock.at(addMicros(clock.now(), retryPause), async () => {
      this.cancelRetry = undefined;
      for (const instance of this.instances.values()) instance.mustRetry = false;
      await holdings.retryRemovals();
      this.refresh();
      this.startDecided();
    });
  }
}

function isMulticast(address: IpAddress): boolean {
  const [first = 0] = ipBytes(address);
  return familyOf(address) === 6 ? first === 0xff : first >= 224 && first < 240;
}
