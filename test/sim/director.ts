// One simulated machine: the product's functions under a drifting clock, a socket buffer that fills while the process
// stands still, addresses and forwarding as the kernel would have them, a repeater with a lease, and a guardian.
import type { IpAddress } from '../../src/model/address.js';
import { type Micros, micros } from '../../src/model/units.js';
import type { SyncGroup, VirtualRouter } from '../../src/model/virtual-router.js';
import { advertOf, type encodeAdvert } from '../../src/vrrp/advert.js';
import type { receive } from '../../src/vrrp/receive.js';
import {
  createInstance,
  effectivePriority,
  holdsAddresses,
  nextDeadline,
  type VrrpAction,
  type VrrpEvent,
  type VrrpState,
} from '../../src/vrrp/state.js';
import type { GroupPolicies, stepGroup } from '../../src/vrrp/sync-group.js';
import { leaseOf } from '../../src/vrrp/timers.js';
import { judge, type memberTracks } from '../../src/vrrp/tracking.js';
import { words } from '../unit/vrrp/fixtures.js';
import { localTime, trueTime } from './clock.js';
import type { Packet } from './network.js';
import { type DirectorSetup, deviceOf, type Scenario, sourceOf } from './scenario.js';

/** What the simulation runs; tests wrap these to plant a fault. */
export type Functions = {
  readonly stepGroup: typeof stepGroup;
  readonly receive: typeof receive;
  readonly encodeAdvert: typeof encodeAdvert;
  readonly memberTracks: typeof memberTracks;
};

/** What a director needs of the world around it. */
export type World = {
  readonly now: () => number;
  readonly at: (time: number, run: () => void) => void;
  /** How late this director's timers are this time. */
  readonly lateness: () => number;
  readonly send: (from: number, router: VirtualRouter, packet: Omit<Packet, 'virtualRouterId'>) => void;
  readonly announce: (from: number, router: string) => void;
  readonly probe: (from: number, router: string) => void;
  readonly stepped: (from: number, router: string, state: VrrpState, actions: readonly VrrpAction[]) => void;
  readonly note: (from: number, text: () => string) => void;
  readonly violation: (text: string) => void;
};

/** As many packets as a socket buffer of the default size holds. */
const bufferSize = 60;

type Held = { hasAddresses: boolean; isForwarding: boolean; isTakenAway: boolean };

export class Director {
  isPowered = false;
  isRunning = false;
  /** Links that are down here. */
  readonly downLinks = new Set<number>();
  stalledUntil = 0;
  /** Of the machine: outlives the process. */
  readonly held = new Map<string, Held>();
  /** By virtual router; gone with the process. */
  states = new Map<string, VrrpState>();
  readonly #groups = new Map<
    string,
    { readonly members: readonly string[]; readonly policies: GroupPolicies }
  >();
  #inbox: (() => void)[] = [];
  #wake = 0;
  readonly #encoded = new Map<string, Uint8Array>();
  /** Scripts that fail; they outlive the process: what is broken stays broken. */
  readonly failing = new Set<string>();

  constructor(
    readonly setup: DirectorSetup,
    readonly scenario: Scenario,
    readonly world: World,
    readonly functions: Functions,
  ) {
    for (const name of setup.routers.keys()) {
      this.held.set(name, { hasAddresses: false, isForwarding: false, isTakenAway: false });
    }
    for (const { members } of scenario.groups) {
      const policies = new Map(
        members.map((name) => [name, { router: this.router(name), source: this.#source(name) }]),
      );
      for (const name of members) this.#groups.set(name, { members, policies });
    }
  }

  get index(): number {
    return this.setup.index;
  }

  isStalled(): boolean {
    return this.world.now() < this.stalledUntil;
  }

  router(name: string): VirtualRouter {
    return this.setup.routers.get(name) as VirtualRouter;
  }

  state(name: string): VrrpState | undefined {
    return this.isRunning ? this.states.get(name) : undefined;
  }

  /** May become master: with all of its group. */
  isEligible(name: string): boolean {
    return this.groupOf(name).members.every((member) => {
      const state = this.state(member);
      const isIn = state !== undefined && state.kind !== 'fault' && state.kind !== 'initialize';
      return isIn && this.hasLink(member);
    });
  }

  groupOf(name: string): SyncGroup {
    return this.scenario.groups.find(({ members }) => members.includes(name)) as SyncGroup;
  }

  linkOf(name: string): number {
    return this.scenario.linkOf.get(name) ?? 0;
  }

  hasLink(name: string): boolean {
    return !this.downLinks.has(this.linkOf(name));
  }

  start(): void {
    this.isPowered = true;
    this.isRunning = true;
    this.stalledUntil = 0;
    this.#inbox = [];
    const now = this.#now();
    this.states = new Map(
      [...this.setup.routers].map(([name, router]): [string, VrrpState] => [
        name,
        createInstance(router, now),
      ]),
    );
    this.world.note(this.index, () => 'process starts');
    for (const name of this.setup.routers.keys()) this.handle(name, this.#trackingEvent(name));
    for (const name of this.setup.routers.keys()) this.handle(name, { kind: 'start' });
  }

  /** SIGKILL: the guardian removes the addresses and says priority 0. */
  kill(): void {
    if (!this.isRunning) return;
    this.world.note(this.index, () => 'process killed');
    const holders = [...this.states].filter(([, state]) => holdsAddresses(state)).map(([name]) => name);
    this.isRunning = false;
    for (const name of holders) {
      this.held.set(name, { hasAddresses: false, isForwarding: false, isTakenAway: false });
      this.#sendAdvert(name, 0);
    }
  }

  powerOff(): void {
    this.world.note(this.index, () => 'power lost');
    this.isRunning = false;
    this.isPowered = false;
    for (const name of this.held.keys()) {
      this.held.set(name, { hasAddresses: false, isForwarding: false, isTakenAway: false });
    }
  }

  /** The process stands still; packets pile up, and the repeater speaks until its lease ends. */
  stall(duration: number): void {
    if (!this.isRunning || this.isStalled()) return;
    const { now, at, note } = this.world;
    const from = now();
    this.stalledUntil = from + duration;
    note(this.index, () => `stalls for ${(duration / 1e6).toFixed(3)} s`);
    const run = this.#inbox;
    for (const [name, state] of this.states) {
      if (holdsAddresses(state)) this.#repeat(name, state, from, run);
    }
    at(this.stalledUntil, () => {
      if (this.isRunning && run === this.#inbox) this.#resume();
    });
  }

  /** Ends a stall now. */
  awake(): void {
    this.stalledUntil = this.world.now();
    this.#resume();
  }

  /** Something for one virtual router, now, or when the process goes on. */
  handle(name: string, event: VrrpEvent): void {
    if (!this.isRunning) return;
    if (this.isStalled()) {
      if (this.#inbox.length < bufferSize) this.#inbox.push(() => this.handle(name, event));
      return;
    }
    const group = this.#groups.get(name);
    if (group === undefined) return;
    const states = new Map<string, VrrpState>();
    for (const member of group.members) states.set(member, this.states.get(member) as VrrpState);
    const result = this.functions.stepGroup(states, name, event, this.#now(), group.policies);
    for (const [member, state] of result.states) this.states.set(member, state);
    for (const { router, action } of result.actions) this.#perform(router, action);
    for (const member of group.members) {
      const actions = result.actions.filter(({ router }) => router === member).map(({ action }) => action);
      this.world.stepped(this.index, member, this.states.get(member) as VrrpState, actions);
    }
    this.#sleep();
  }

  /** A packet at the device. */
  arrive(packet: Packet): void {
    const name = this.#routerOf(packet);
    if (name === undefined || !this.isRunning || !this.hasLink(name)) return;
    if (this.isStalled()) {
      if (this.#inbox.length < bufferSize) this.#inbox.push(() => this.arrive(packet));
      return;
    }
    const router = this.router(name);
    const state = this.states.get(name) as VrrpState;
    const followed = state.kind === 'backup' ? state.master?.source : undefined;
    const reception = this.functions.receive(packet.bytes, packet, {
      router,
      ownSources: [this.#source(name)],
      followed,
    });
    if (reception.kind === 'accepted') this.handle(name, { kind: 'advert', advert: reception.advert });
    else this.handle(name, { ...reception, source: packet.source });
  }

  /** What a tracked script says from now on. */
  setScript(script: string, isGood: boolean): void {
    if (isGood) this.failing.delete(script);
    else this.failing.add(script);
    this.retrack();
  }

  setLink(link: number, isUp: boolean): void {
    if (this.downLinks.has(link) !== isUp) return;
    if (isUp) this.downLinks.delete(link);
    else this.downLinks.add(link);
    this.world.note(this.index, () => `link ${link} ${isUp ? 'up' : 'down'}`);
    this.retrack();
  }

  /** Everything is well again. */
  mend(): void {
    this.failing.clear();
    this.downLinks.clear();
    this.retrack();
  }

  retrack(): void {
    for (const name of this.setup.routers.keys()) this.handle(name, this.#trackingEvent(name));
  }

  #trackingEvent(name: string): VrrpEvent {
    const router = this.router(name);
    const group = this.groupOf(name);
    const tracks = this.functions.memberTracks(router, group);
    const named = (kind: string) => tracks.filter((track) => track.kind === kind).map((track) => track.name);
    const down = new Set([...this.downLinks].map(deviceOf));
    const seen = {
      devices: new Map(named('interface').map((device) => [device, !down.has(device)])),
      scripts: new Map(named('script').map((script) => [script, !this.failing.has(script)])),
      files: new Map<string, number>(),
    };
    return { kind: 'tracking', ...judge(router.priority, tracks, seen) };
  }

  #resume(): void {
    this.world.note(this.index, () => `goes on, ${this.#inbox.length} packets unread`);
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const run of inbox) run();
    this.#sleep();
  }

  /** The native side, while the process stands still. */
  #repeat(name: string, state: VrrpState, from: number, run: readonly unknown[]): void {
    const router = this.router(name);
    const isSame = () => this.isRunning && this.isStalled() && run === this.#inbox;
    const end = from + leaseOf(router);
    if (state.kind === 'master') {
      for (let at = from + router.advertInterval / 2; at < end; at += router.advertInterval) {
        this.world.at(at, () => isSame() && this.#sendAdvert(name, effectivePriority(state)));
      }
    }
    this.world.at(end, () => {
      if (!isSame()) return;
      this.world.note(this.index, () => `${name}: lease over, addresses taken away`);
      this.held.set(name, { hasAddresses: false, isForwarding: false, isTakenAway: true });
      this.#inbox.unshift(() => this.handle(name, { kind: 'lease-expired' }));
    });
  }

  #perform(name: string, action: VrrpAction): void {
    const held = this.held.get(name) as Held;
    const { world, index } = this;
    if (action.kind !== 'send-advert') world.note(index, () => `${name}: ${words([action])[0]}`);
    switch (action.kind) {
      case 'send-advert':
        this.#sendAdvert(name, action.priority);
        return;
      case 'forward':
        held.isForwarding = action.isOn;
        return;
      case 'add-addresses':
        if (held.hasAddresses) world.violation(`${index} ${name}: addresses added twice`);
        held.hasAddresses = true;
        held.isTakenAway = false;
        return;
      case 'remove-addresses':
        if (!held.hasAddresses && !held.isTakenAway) {
          world.violation(`${index} ${name}: addresses removed twice`);
        }
        held.hasAddresses = false;
        held.isTakenAway = false;
        return;
      case 'clean-addresses':
        this.held.set(name, { hasAddresses: false, isForwarding: false, isTakenAway: false });
        return;
      case 'announce':
        for (let i = 0; i < action.repeat; i++) if (this.hasLink(name)) world.announce(index, name);
        return;
      case 'probe-addresses':
        if (this.hasLink(name)) world.probe(index, name);
        return;
      case 'transition':
      case 'notify':
      case 'report':
        return;
      default:
        action satisfies never;
    }
  }

  #sendAdvert(name: string, priority: number): void {
    if (!this.hasLink(name)) return;
    const router = this.router(name);
    const source = this.#source(name);
    const { delivery } = router;
    const isMulticast = delivery.kind === 'multicast';
    this.world.note(this.index, () => `${name}: sends ${priority}`);
    const destinations: readonly IpAddress[] = isMulticast
      ? [delivery.group]
      : delivery.peers.map(({ address }) => address);
    for (const destination of destinations) {
      const bytes = this.#encode(router, priority, source, destination);
      this.world.send(this.index, router, { bytes, source, destination, ttl: 255, isMulticast });
    }
  }

  /** The same advert is sent again and again. */
  #encode(router: VirtualRouter, priority: number, source: IpAddress, destination: IpAddress): Uint8Array {
    const key = `${router.name} ${priority} ${destination}`;
    const known = this.#encoded.get(key);
    if (known !== undefined) return known;
    const path = { source, destination };
    const bytes = this.functions.encodeAdvert(advertOf(router, priority), path, router.checksum);
    this.#encoded.set(key, bytes);
    return bytes;
  }

  /** As the host sorts what its sockets receive. */
  #routerOf(packet: Packet): string | undefined {
    for (const [name, router] of this.setup.routers) {
      const isIpv6 = packet.source.includes(':');
      if (router.virtualRouterId === packet.virtualRouterId && isIpv6 === (router.family === 6)) return name;
    }
    return undefined;
  }

  #source(name: string): IpAddress {
    return sourceOf(this.index, this.router(name).family);
  }

  #now(): Micros {
    return localTime(this.setup.clock, this.world.now());
  }

  /** Sleeps until the next deadline of any virtual router; an earlier sleep is forgotten. */
  #sleep(): void {
    const wake = ++this.#wake;
    let earliest = Number.POSITIVE_INFINITY;
    for (const state of this.states.values()) earliest = Math.min(earliest, nextDeadline(state) ?? earliest);
    if (earliest === Number.POSITIVE_INFINITY) return;
    const first = trueTime(this.setup.clock, micros(earliest));
    this.world.at(Math.max(this.world.now(), first) + this.world.lateness(), () => {
      if (wake !== this.#wake || !this.isRunning || this.isStalled()) return;
      const now = this.#now();
      const due = [...this.states].filter(
        ([, state]) => (nextDeadline(state) ?? Number.POSITIVE_INFINITY) <= now,
      );
      for (const [name] of due) this.handle(name, { kind: 'deadline' });
      if (due.length === 0) this.#sleep();
    });
  }
}
