// One virtual router as it runs: its state, and what executes the actions of its steps. Adverts go out in the turn in
// which they are decided; the rest follows in a queue.

import type { Link, Network } from '../../dataplane/network.js';
import type { HostAddress } from '../../dataplane/port.js';
import type { IpAddress } from '../../model/address.js';
import type { RouterConfig } from '../../model/failover-config.js';
import { addMicros, type Micros, micros } from '../../model/units.js';
import type { VirtualRouter } from '../../model/virtual-router.js';
import type { Cause } from '../../vrrp/cause.js';
import { unspecified4, unspecified6 } from '../../vrrp/frames.js';
import {
  type AnnounceReason,
  createInstance,
  effectivePriority,
  holdsAddresses,
  type InstancePolicy,
  type NotifyState,
  type VrrpAction,
  type VrrpEvent,
  type VrrpState,
} from '../../vrrp/state.js';
import type { Cancel, Clock } from '../clock.js';
import { messageOf } from '../message-of.js';
import { createSerial } from '../serial.js';
import { AdvertSender } from './advert-sender.js';
import type { AnnounceOrder, Announcer, Target } from './announcer.js';
import type { RouterCounters } from './counters.js';
import { type Holdings, type Possessions, possessionsOf, unionOf } from './holdings.js';
import { addressDevice, advertDevice } from './placement.js';
import type { Prober } from './prober.js';
import { lostAt, maxTakeovers, type TakeoverEntry, takeoverEntry } from './timeline.js';

/** What outlives a restart of the router under the same name. */
export type RouterRecord = {
  readonly counters: RouterCounters;
  /** The newest last. */
  readonly takeovers: TakeoverEntry[];
};

export type Transition = Extract<VrrpAction, { kind: 'transition' }>;
export type Report = {
  readonly level: 'info' | 'warning' | 'error';
  readonly code: string;
  readonly text: string;
};

export type InstanceParts = {
  readonly network: Network;
  /** As of this turn of the event loop. */
  readonly links: () => readonly Link[];
  readonly clock: Clock;
  readonly holdings: Holdings;
  readonly announcer: Announcer;
  readonly prober: Prober;
  /** Resolves when the data plane forwards for the router's addresses, or no longer does. */
  readonly forward: (instance: Instance, isOn: boolean) => Promise<void>;
  readonly notify: (instance: Instance, state: NotifyState, priority: number) => void;
  /** An event that an executed action has caused. */
  readonly feed: (instance: Instance, event: VrrpEvent) => void;
  readonly onTransition: (instance: Instance, transition: Transition) => void;
  /** Something was added, or could not be. */
  readonly onHeld: () => void;
  /** Why the virtual router of that name is in its state: what moves a sync group is one member's. */
  readonly causeOf: (name: string) => Cause | undefined;
  /** The sync group of the instance, or it alone. */
  readonly membersWith: (instance: Instance) => readonly Instance[];
  readonly onTakeover: (instance: Instance, takeover: TakeoverEntry) => void;
  readonly report: (instance: Instance, report: Report) => void;
};

/**
 * How long we go on forwarding for a successor whose advert was heard: its table and its announcements come after it,
 * and a connection request that is lost in between costs its client a second.
 */
export const forwardLinger = micros(250_000);

/** After so many missing adverts backups take over, and a skew later (RFC 9568 6.1). */
const missedAdverts = 3;

export class Instance {
  state: VrrpState;
  readonly sender: AdvertSender;
  /** Why its own device keeps it out; undefined: it doesn't. */
  ownFault: string | undefined;
  /** Wall clock of the last transition. */
  since: Micros;
  /** Priority 0 of the master, heard then. */
  releasedAt: Micros | undefined;
  /** `restarting`, `removed`: it gives up, and is forgotten when it has stopped. */
  purpose: 'running' | 'restarting' | 'removed' = 'running';
  /** Device, socket or listener could not be made; no event of the machine's may say when they can. */
  mustRetry = false;
  /** Added by a reload: `vrrp_startup_delay` is of the director's start. */
  isLate = false;
  private takeover: { readonly since: Micros; readonly cause: Cause } | undefined;
  private followed: IpAddress | undefined;
  private isEntrusted = false;
  /** Devices on which an announcement is still to be said. */
  private readonly missedOn = new Set<string>();
  /** We still forward, although the addresses are another director's. */
  private linger: { readonly over: Promise<void>; readonly cancel: Cancel } | undefined;
  private readonly inTurn = createSerial();

  constructor(
    /** What the network knows it by: the name, or another while one of that name gives up. */
    readonly key: string,
    private currentConfig: RouterConfig,
    readonly record: RouterRecord,
    private readonly parts: InstanceParts,
  ) {
    const { clock, network } = parts;
    this.state = createInstance(currentConfig.router, clock.now());
    this.since = clock.wall();
    this.sender = new AdvertSender(network, key, record.counters);
  }

  get name(): string {
    return this.config.router.name;
  }

  get config(): RouterConfig {
    return this.currentConfig;
  }

  get router(): VirtualRouter {
    return this.config.router;
  }

  get counters(): RouterCounters {
    return this.record.counters;
  }

  get policy(): InstancePolicy {
    const { router } = this;
    const source = this.sender.source ?? (router.family === 4 ? unspecified4 : unspecified6);
    return { router: this.isLate ? { ...router, startupDelay: micros(0) } : router, source };
  }

  get holdsAddresses(): boolean {
    return holdsAddresses(this.state);
  }

  get priority(): number {
    return effectivePriority(this.state);
  }

  /** Not yet started, or stopped. */
  get isStopped(): boolean {
    return this.state.kind === 'initialize' && this.state.startAt === undefined;
  }

  /** Executes one action of a step; `state` is the one after it. */
  perform(action: VrrpAction): void {
    const { parts } = this;
    switch (action.kind) {
      case 'transition':
        this.onTransition(action);
        return;
      case 'send-advert':
        this.sendAdvert(action.priority);
        return;
      case 'probe-addresses':
        this.enqueue(async () => this.probe());
        return;
      case 'forward':
        this.forward(action.isOn);
        return;
      case 'add-addresses':
        this.enqueue(() => this.addAddresses());
        return;
      case 'remove-addresses':
        this.enqueue(() => this.removeAddresses());
        return;
      case 'clean-addresses':
        this.enqueue(() => this.cleanAddresses());
        return;
      case 'announce':
        this.enqueue(async () => this.announce(action.repeat, partOf(action.why)));
        return;
      case 'notify':
        this.enqueue(async () => parts.notify(this, action.state, action.priority));
        return;
      case 'report':
        parts.report(this, action);
        return;
      default:
        action satisfies never;
    }
  }

  /** The step is executed: whoever is no master any more is not repeated. */
  endStep(): void {
    if (this.state.kind !== 'master') this.sender.stopRepeating();
    this.follow(this.state.kind === 'backup' ? this.state.master?.source : undefined);
  }

  /** The network sheds nothing of the master that we follow. */
  private follow(source: IpAddress | undefined): void {
    if (source === this.followed) return;
    this.followed = source;
    const { device, virtualRouterId } = this.router;
    this.parts.network.follow(
      this.key,
      source === undefined ? undefined : { device, source, virtualRouterId },
    );
  }

  /** It gives up, in `releaseBudget` at most where that is given, and is forgotten. */
  retire(purpose: 'restarting' | 'removed', releaseBudget = this.router.releaseBudget): void {
    this.purpose = purpose;
    this.currentConfig = { ...this.currentConfig, router: { ...this.router, releaseBudget } };
  }

  /**
   * A director is started again in our place: a last advert, and the addresses stay for as long as the peers then wait.
   * False: there is nothing to leave, or they would not wait for a second.
   */
  async leave(): Promise<boolean> {
    const { network, holdings } = this.parts;
    const seconds = Math.floor((missedAdverts * this.router.advertInterval) / 1_000_000);
    if (this.state.kind !== 'master' || seconds < 1) return false;
    this.sendAdvert(effectivePriority(this.state));
    this.sender.stopRepeating();
    await this.idle();
    const { addresses } = holdings.removable(possessionsOf(this.router));
    for (const address of addresses) {
      await network.leaveAddress(address, seconds).catch((error: unknown) => {
        const text = `can't leave ${address.address} for a restart: ${messageOf(error)}`;
        this.parts.report(this, { level: 'warning', code: 'address-failed', text });
      });
    }
    return true;
  }

  /** The director before us on this machine was master, and its peers still wait for its next advert. */
  get isLeftForUs(): boolean {
    const { addresses } = possessionsOf(this.router);
    const links = this.parts.links();
    const isLeft = ({ address, device }: HostAddress) =>
      links.some(
        (link) =>
          link.name === device && link.addresses.some((one) => one.address === address && one.isLeftForUs),
      );
    return addresses.length > 0 && addresses.every(isLeft);
  }

  /** Puts other settings of the same router in force. */
  change(config: RouterConfig): void {
    const { virtualMac } = this.router;
    const before = possessionsOf(this.router);
    this.currentConfig = config;
    if (this.holdsAddresses)
      this.enqueue(() => this.exchangeAddresses(before, virtualMac !== config.router.virtualMac));
  }

  /** Its virtual MAC's device has another name now, with everything that is on it. */
  renameDevice(name: string): void {
    const { virtualMacDevice: before } = this.router;
    this.currentConfig = { ...this.config, router: { ...this.router, virtualMacDevice: name } };
    if (before !== undefined) this.parts.holdings.renameDevice(this.key, before, name);
  }

  /** The sender has another place: what was sent from the old one is sent again. */
  onReopened(): void {
    if (this.state.kind === 'master') this.sendAdvert(effectivePriority(this.state));
    this.enqueue(async () => {
      if (!this.isEntrusted) return;
      await this.entrust(possessionsOf(this.router));
      // On a device that was renamed some may be gone.
      await this.parts.holdings.add(this.key, possessionsOf(this.router));
    });
  }

  /** An announcement did not get out on the device, or nobody could hear it: it is said again there. */
  missed(device: string, reason: string): void {
    this.missedOn.add(device);
    this.parts.feed(this, { kind: 'announcement-missed', reason });
  }

  /** Something of ours was put back: who has forgotten it meanwhile is told. */
  onRestored(): void {
    this.enqueue(async () => {
      this.watch();
      this.announce(this.router.announce.repeat, 'all');
    });
  }

  /** Resolves when everything that was decided so far is done. */
  async idle(): Promise<void> {
    await this.inTurn(async () => {});
    await this.linger?.over;
    await this.inTurn(async () => {});
  }

  /** Off comes later than decided where a successor lives: what neighbours still send here must not be lost meanwhile. */
  private forward(isOn: boolean): void {
    const { clock, forward } = this.parts;
    this.linger?.cancel();
    if (isOn || !hasSuccessor(this.state.cause)) {
      this.enqueue(() => forward(this, isOn));
      return;
    }
    let end = () => {};
    const over = new Promise<void>((resolve) => {
      end = () => {
        this.linger = undefined;
        resolve();
      };
    });
    const cancelAlarm = clock.at(addMicros(clock.now(), forwardLinger), () => {
      this.enqueue(() => forward(this, false));
      end();
    });
    const cancel = () => {
      cancelAlarm();
      end();
    };
    this.linger = { over, cancel };
  }

  private sendAdvert(priority: number): void {
    const failure = this.sender.send(this.router, priority, this.state.kind === 'master');
    // In fault the reason is known, and said.
    if (failure === undefined || this.state.kind === 'fault') return;
    this.warn('send-failed', `an advert could not be sent: ${failure}`);
  }

  private onTransition(transition: Transition): void {
    const { clock, announcer, holdings } = this.parts;
    const { counters } = this;
    const { from, to, cause } = transition;
    this.since = clock.wall();
    if (to === 'master' && from !== 'releasing') {
      counters.becameMaster += 1;
      const origin = cause.kind === 'group' ? (this.parts.causeOf(cause.router) ?? cause) : cause;
      const since = lostAt(origin, clock.now(), this.releasedAt);
      this.takeover = since === undefined ? undefined : { since, cause: origin };
      // At once: a predecessor that gives up in this turn must not remove what is ours from here on.
      holdings.claim(this.key, possessionsOf(this.router));
    }
    const hasLeft = (from === 'master' && to !== 'releasing') || (from === 'releasing' && to !== 'master');
    if (hasLeft) {
      counters.releasedMaster += 1;
      announcer.drop(this.key);
      this.missedOn.clear();
    }
    this.releasedAt = undefined;
    this.parts.onTransition(this, transition);
  }

  /** An owner (255) may have addresses that are the machine's own: a stop leaves it those. */
  private async cleanAddresses(): Promise<void> {
    const { holdings, links } = this.parts;
    const { priority } = this.router;
    await holdings.clean(this.key, possessionsOf(this.router), priority === 255 ? links : undefined);
  }

  private async addAddresses(): Promise<void> {
    const possessions = possessionsOf(this.router);
    await this.entrust(possessions);
    await this.parts.holdings.add(this.key, possessions);
    this.parts.onHeld();
    this.endTakeover();
    this.watch();
  }

  private async removeAddresses(): Promise<void> {
    this.takeover = undefined;
    this.parts.prober.unwatch(this.key);
    await this.parts.holdings.remove(this.key);
    this.isEntrusted = false;
    this.parts.network.revoke(this.key);
  }

  private async exchangeAddresses(before: Possessions, hasOtherMac: boolean): Promise<void> {
    if (!this.holdsAddresses) return;
    const next = possessionsOf(this.router);
    await this.entrust(unionOf(before, next));
    await this.parts.holdings.exchange(this.key, next);
    await this.entrust(next);
    this.parts.onHeld();
    this.watch();
    const old = new Set(before.addresses.map(({ address, device }) => `${address} ${device}`));
    const isNew = ({ address, device }: Target) => hasOtherMac || !old.has(`${address} ${device}`);
    const added = this.targets().filter(isNew);
    if (added.length > 0) this.announce(this.router.announce.repeat, 'added', added);
  }

  /** The guardian has it before the addresses are there. Without a guardian failover is better than none. */
  private async entrust(possessions: Possessions): Promise<void> {
    const { addresses, routes } = this.parts.holdings.removable(possessions);
    try {
      await this.parts.network.entrust(this.key, {
        goodbye: this.sender.goodbye(this.router),
        addresses,
        routes,
      });
      this.isEntrusted = true;
    } catch (error) {
      this.warn('no-guardian', `nobody will undo it if this process is killed: ${messageOf(error)}`);
    }
  }

  private endTakeover(): void {
    const { takeover, parts } = this;
    this.takeover = undefined;
    if (takeover === undefined) return;
    const took = micros(parts.clock.now() - takeover.since);
    const entry = takeoverEntry(takeover.cause, took, parts.membersWith(this), parts.clock.wall());
    if (entry === undefined) return;
    this.counters.takeovers += 1;
    if (!entry.isWithin) this.counters.lateTakeovers += 1;
    this.record.takeovers.push(entry);
    if (this.record.takeovers.length > maxTakeovers) this.record.takeovers.shift();
    parts.onTakeover(this, entry);
  }

  /** One address of each device that switches learn from no advert. */
  private extraTargets(): readonly Target[] {
    const { extraDevices } = this.router.announce;
    const seen = new Set([advertDevice(this.router)]);
    return this.targets().filter(({ device }) => {
      const isWanted = extraDevices === 'all' || device === this.router.virtualMacDevice;
      const isFirst = !seen.has(device);
      seen.add(device);
      return isWanted && isFirst;
    });
  }

  private announce(repeat: number, part: AnnounceOrder['part'], targets = this.targetsOf(part)): void {
    if (!this.holdsAddresses) return;
    const { counters } = this;
    this.parts.announcer.announce({
      owner: this.key,
      part,
      targets,
      repeat,
      onSent: () => {
        counters.announced += 1;
      },
      onFailed: (reason, device) => {
        counters.announceFailures += 1;
        this.missed(device, reason);
      },
    });
  }

  private targetsOf(part: AnnounceOrder['part']): readonly Target[] {
    if (part === 'extra') return this.extraTargets();
    return part === 'missed' ? this.missedTargets() : this.targets();
  }

  private missedTargets(): readonly Target[] {
    const targets = this.targets().filter(({ device }) => this.missedOn.has(device));
    this.missedOn.clear();
    return targets;
  }

  private watch(): void {
    if (!this.holdsAddresses) return;
    this.parts.prober.watch(this.key, this.targets(), () =>
      this.parts.feed(this, { kind: 'address-claimed' }),
    );
  }

  /** Not from a virtual MAC's device: it has no address to ask from, and what is asked from `::` is answered to all nodes. */
  private probe(): void {
    const targets = this.targets().map((target) => ({ ...target, device: target.physical }));
    const { feed, prober } = this.parts;
    prober.probe(targets, (address, mac) => feed(this, { kind: 'address-answered', address, mac }));
  }

  private targets(): readonly Target[] {
    const { router } = this;
    return [...router.addresses, ...router.excludedAddresses].map(({ address, device }) => ({
      address,
      device: device ?? addressDevice(router),
      physical: device ?? router.device,
    }));
  }

  private warn(code: string, text: string): void {
    this.parts.report(this, { level: 'warning', code, text });
  }

  private enqueue(job: () => Promise<void>): void {
    void this.inTurn(job).catch((error: unknown) => this.warn('internal', messageOf(error)));
  }
}

function partOf(why: AnnounceReason): AnnounceOrder['part'] {
  return why === 'extra' || why === 'missed' ? why : 'all';
}

/** Another master was heard: the addresses have a taker. */
function hasSuccessor({ kind }: Cause): boolean {
  return ['taken-over', 'higher-priority', 'higher-address', 'second-owner', 'group'].includes(kind);
}
