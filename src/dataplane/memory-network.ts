// The in-memory twin of the native network: behaves as the port says and touches no machine. Several twins on one
// MemoryWire hear each other. Lease, repeater and guardian go by the clock that is handed in. For tests of the control
// plane, and for a director without privileges.

import { DirectorError } from '../errors.js';
import { type Family, familyOf, type IpAddress } from '../model/address.js';
import { addMicros, type Micros } from '../model/units.js';
import type { VirtualRoute } from '../model/virtual-router.js';
import { type Belonging, type CustodyOutcome, type CustodyStatus, MemoryCustody } from './custody.js';
import { cancelAll, newSender, type Sender } from './memory-sender.js';
import { isSameAddress, isSameRoute, nextMac } from './memory-things.js';
import type { WireAdvert, WireStation } from './memory-wire.js';
import { answeredAddress, answerTo, MemoryWire, type NetworkClock, questionIn } from './memory-wire.js';
import type {
  AdvertEgress,
  AdvertListener,
  AdvertMessage,
  AdvertOrigin,
  LastWill,
  Link,
  LinkAddress,
  Network,
  NetworkEvent,
  ProbeFilter,
  Repetition,
} from './network.js';
import { repeatDelay } from './network.js';
import type { HostAddress } from './port.js';

/** A device as a test states it; what is left out is that of an ordinary Ethernet device. */
export type MemoryLink = Partial<Link> & {
  readonly name: string;
  /** Devices with the same segment hear each other; default: the device's name. */
  readonly segment?: string;
};

export type MemoryNetworkOptions = {
  readonly clock: NetworkClock;
  /** Default: one that nobody else is on. */
  readonly wire?: MemoryWire;
  /** Default: `eth0` without addresses. */
  readonly links?: readonly MemoryLink[];
};

type Device = Link & { readonly segment: string };

const downText = 'Network is down';

export class MemoryNetwork implements Network, WireStation {
  readonly wire: MemoryWire;
  /** Our addresses, routes and last wills as they are now. */
  readonly addresses: HostAddress[] = [];
  readonly routes: VirtualRoute[] = [];
  /** Every frame that was sent from here. */
  readonly sentFrames: { readonly device: string; readonly frame: Uint8Array }[] = [];
  /** Set to make the calls with that name fail: `network.failures.set('addAddress', new DirectorError(…))`. */
  readonly followed = new Map<string, AdvertOrigin>();
  readonly failures = new Map<
    'addAddress' | 'addRoute' | 'addVirtualMac' | 'open' | 'listenForAdverts',
    Error
  >();

  private readonly clock: NetworkClock;
  private state: 'new' | 'running' | 'stopped' | 'dead' = 'new';
  private report: (event: NetworkEvent) => void = () => {};
  private devices: readonly Device[] = [];
  private nextIfindex = 2;
  private isChangeReported = true;
  private readonly listeners = new Map<string, AdvertListener>();
  private readonly senders = new Map<string, Sender>();
  private readonly filters = new Map<string, ProbeFilter>();
  private readonly custodian = new MemoryCustody(() => this.clock.now());

  constructor({ clock, wire, links = [{ name: 'eth0' }] }: MemoryNetworkOptions) {
    this.clock = clock;
    this.wire = wire ?? new MemoryWire(clock);
    for (const link of links) this.setLink(link);
  }

  async start(onEvent: (event: NetworkEvent) => void): Promise<void> {
    if (this.state !== 'new') throw new DirectorError('ALREADY_RUNNING', 'this network was started before');
    this.state = 'running';
    this.report = onEvent;
    this.routes.length = 0;
    this.devices = this.devices.filter(({ parent }) => parent === undefined);
    this.isChangeReported = true;
    this.wire.join(this);
  }

  links(): readonly Link[] {
    return this.devices.map(({ segment, ...link }) => link);
  }

  listenForAdverts(listener: AdvertListener): void {
    this.requireRunning();
    this.failIfSet('listenForAdverts');
    this.requireDevice(listener.device);
    this.listeners.set(listenerKey(listener.device, listener.family), listener);
  }

  stopListeningForAdverts(device: string, family: Family): void {
    this.listeners.delete(listenerKey(device, family));
  }

  follow(router: string, master: AdvertOrigin | undefined): void {
    if (master === undefined) this.followed.delete(router);
    else this.followed.set(router, master);
  }

  open(egress: AdvertEgress): void {
    this.requireRunning();
    this.failIfSet('open');
    const device = this.requireDevice(egress.device);
    const isLinkLocal = /^fe[89ab]/.test(egress.source);
    const places = isLinkLocal
      ? this.devices.filter(({ name }) => name === device.name || name === device.parent)
      : this.devices;
    if (!places.some((place) => place.addresses.some(({ address }) => address === egress.source))) {
      throw new DirectorError('IO', `cannot send from ${egress.source}: Cannot assign requested address`);
    }
    const known = this.senders.get(egress.router);
    if (known !== undefined) known.egress = egress;
    else this.senders.set(egress.router, newSender(egress));
  }

  close(router: string): void {
    const sender = this.senders.get(router);
    if (sender === undefined) return;
    cancelAll(sender);
    this.senders.delete(router);
  }

  advertise(
    router: string,
    messages: readonly AdvertMessage[],
    repetition: Repetition | undefined,
  ): string | undefined {
    const sender = this.senders.get(router);
    if (sender === undefined) return `the virtual router ${router} is not open`;
    if (this.state === 'dead') return undefined;
    this.endLeaseIfDue(router, sender);
    if (sender.isExpired && repetition !== undefined) return `the lease of ${router} has run out`;
    const length = repetition?.lease ?? sender.lease?.length;
    cancelAll(sender);
    sender.messages = messages;
    sender.interval = repetition?.interval;
    sender.lease = length === undefined ? undefined : { length, end: addMicros(this.clock.now(), length) };
    if (sender.interval !== undefined) this.repeatAt(sender, repeatDelay(sender.interval));
    if (sender.lease !== undefined) this.watchLease(router, sender, sender.lease.end);
    return this.send(sender.egress, messages, 'director');
  }

  async entrust(router: string, will: LastWill): Promise<void> {
    this.requireRunning();
    const sender = this.senders.get(router);
    if (sender === undefined) throw new DirectorError('IO', `the virtual router ${router} is not open`);
    sender.will = will;
  }

  revoke(router: string): void {
    const sender = this.senders.get(router);
    if (sender !== undefined) sender.will = undefined;
  }

  sendFrame(device: string, frame: Uint8Array): string | undefined {
    const found = this.devices.find(({ name }) => name === device);
    if (found === undefined) return 'No such device';
    if (!found.isUp) return downText;
    this.sentFrames.push({ device, frame });
    this.carryFrame(found, frame);
    return undefined;
  }

  listenForFrames(filter: ProbeFilter): void {
    this.requireRunning();
    this.requireDevice(filter.device);
    this.filters.set(filter.device, filter);
  }

  stopListeningForFrames(device: string): void {
    this.filters.delete(device);
  }

  async addAddress(address: HostAddress): Promise<void> {
    this.requireRunning();
    this.failIfSet('addAddress');
    const device = this.requireDevice(address.device);
    if (this.addresses.some((known) => isSameAddress(known, address))) return;
    this.addresses.push(address);
    const added = { address: address.address, length: address.prefixLength };
    this.change(device.name, { addresses: [...device.addresses, added] });
  }

  async removeAddress(address: HostAddress): Promise<void> {
    this.requireRunning();
    this.removeAddressNow(address);
  }

  /** Nobody comes after this one. */
  async leaveAddress(address: HostAddress): Promise<void> {
    await this.removeAddress(address);
  }

  async addRoute(route: VirtualRoute): Promise<void> {
    this.requireRunning();
    this.failIfSet('addRoute');
    if (route.device !== undefined) this.requireDevice(route.device);
    if (!this.routes.some((known) => isSameRoute(known, route))) this.routes.push(route);
  }

  async removeRoute(route: VirtualRoute): Promise<void> {
    this.requireRunning();
    this.removeRouteNow(route);
  }

  async addVirtualMac(name: string, parent: string, mac: string): Promise<void> {
    this.requireRunning();
    this.failIfSet('addVirtualMac');
    const { segment, isUp, mtu } = this.requireDevice(parent);
    const known = this.devices.find((device) => device.name === name);
    if (known !== undefined && known.parent === undefined) {
      throw new DirectorError('IO', `there is a device ${name} that is not ours`);
    }
    const twin = this.devices.find((device) => device.parent === parent && device.mac === mac);
    if (known === undefined && twin !== undefined) this.rename(twin.name, name);
    if (known !== undefined && known.parent !== parent) this.removeLink(name);
    if (known?.parent === parent || twin !== undefined) {
      this.change(name, { mac, isUp, isSetDown: false });
    } else {
      this.addDevice({ name, segment, isUp, mtu, mac, addresses: [], parent });
    }
  }

  async removeVirtualMac(name: string): Promise<void> {
    this.requireRunning();
    const known = this.devices.find((device) => device.name === name);
    if (known === undefined) return;
    if (known.parent === undefined)
      throw new DirectorError('IO', `the device ${name} is not ours, and stays`);
    this.removeLink(name);
  }

  lookAfter(belongings: readonly Belonging[]): Promise<readonly CustodyOutcome[]> {
    this.requireRunning();
    return this.custodian.look(belongings, async (belonging) => {
      if (this.state === 'dead' || this.isThere(belonging)) return false;
      if (belonging.kind === 'address') await this.addAddress(belonging.address);
      else if (belonging.kind === 'route') await this.addRoute(belonging.route);
      else await this.addVirtualMac(belonging.name, belonging.parent, belonging.mac);
      return true;
    });
  }

  custody(): CustodyStatus {
    return this.custodian.status;
  }

  async stop(): Promise<void> {
    if (this.state === 'dead') return;
    this.end('stopped');
  }

  // WireStation.

  hearAdvert(segment: string, advert: WireAdvert): void {
    const { bytes: message, source, destination, ttl } = advert;
    for (const device of this.devices) {
      const listener = this.listeners.get(listenerKey(device.name, familyOf(destination)));
      if (listener === undefined || device.segment !== segment || !device.isUp) continue;
      const isOurs = this.devices.some(({ addresses }) =>
        addresses.some((own) => own.address === destination),
      );
      if (!isOurs && !listener.groups.includes(destination)) continue;
      this.report({ kind: 'advert', device: device.name, message, source, destination, ttl });
    }
  }

  hearFrame(segment: string, frame: Uint8Array): void {
    const question = questionIn(frame);
    const answered = answeredAddress(frame);
    for (const device of this.devices) {
      if (device.segment !== segment || !device.isUp) continue;
      const holds = (ip: IpAddress) => device.addresses.some(({ address }) => address === ip);
      // As the kernel does; it takes nothing from somebody who claims to be itself.
      if (question !== undefined && holds(question.target) && !holds(question.asker)) {
        this.carryFrame(device, answerTo(question, device.mac));
      }
      if (answered !== undefined && this.filters.get(device.name)?.addresses.includes(answered)) {
        this.report({ kind: 'frame', device: device.name, frame });
      }
    }
  }

  // Test hooks from here on.

  /** Adds a device, or changes those of its fields that are named. */
  setLink({ name, ...fields }: MemoryLink): void {
    const known = this.devices.find((device) => device.name === name);
    if (known !== undefined) {
      this.change(name, fields);
      const { isUp = known.isUp } = fields;
      for (const { name: child, parent, isSetDown } of this.devices) {
        if (parent === name) this.change(child, { isUp: isUp && isSetDown !== true });
      }
      return;
    }
    const { segment = name, isUp = true, mtu = 1500, mac = nextMac(), addresses = [] } = fields;
    this.addDevice({ name, segment, isUp, mtu, mac, addresses, parent: undefined });
  }

  removeLink(name: string): void {
    this.devices = this.devices.filter((device) => device.name !== name && device.parent !== name);
    const isElsewhere = ({ device }: HostAddress) => device !== name;
    this.addresses.splice(0, this.addresses.length, ...this.addresses.filter(isElsewhere));
    this.filters.delete(name);
    this.reportChange();
  }

  /** The process is killed: the guardian carries out every last will, and nothing else is heard of it. */
  die(): void {
    if (this.state !== 'running') return;
    const wills = [...this.senders.values()];
    for (const sender of wills) this.carryOut(sender);
    this.end('dead');
  }

  /** What the guardian would do now for the virtual router. */
  willOf(router: string): LastWill | undefined {
    return this.senders.get(router)?.will;
  }

  emit(event: NetworkEvent): void {
    this.report(event);
  }

  private isThere(belonging: Belonging): boolean {
    if (belonging.kind === 'address')
      return this.addresses.some((one) => isSameAddress(one, belonging.address));
    if (belonging.kind === 'route') return this.routes.some((one) => isSameRoute(one, belonging.route));
    const device = this.devices.find(({ name }) => name === belonging.name);
    return device?.mac === belonging.mac && device.parent === belonging.parent && device.isSetDown !== true;
  }

  private end(state: 'stopped' | 'dead'): void {
    this.state = state;
    for (const sender of this.senders.values()) cancelAll(sender);
    this.senders.clear();
    this.listeners.clear();
    this.filters.clear();
    this.wire.leave(this);
    this.report = () => {};
  }

  private send(
    egress: AdvertEgress,
    messages: readonly AdvertMessage[],
    by: WireAdvert['by'],
  ): string | undefined {
    const device = this.devices.find(({ name }) => name === egress.device);
    if (device === undefined) return 'No such device';
    if (!device.isUp) return downText;
    const { source, ttl } = egress;
    for (const { destination, bytes } of messages) {
      const advert = { at: this.clock.now(), device: device.name, source, destination, ttl, bytes, by };
      this.wire.carryAdvert(this, device.segment, advert);
    }
    return undefined;
  }

  private repeatAt(sender: Sender, delay: Micros): void {
    const repeat = () => {
      if (sender.interval === undefined) return;
      this.send(sender.egress, sender.messages, 'repeater');
      this.repeatAt(sender, sender.interval);
    };
    sender.cancels.push(this.clock.at(addMicros(this.clock.now(), delay), repeat));
  }

  private watchLease(router: string, sender: Sender, end: Micros): void {
    sender.cancels.push(this.clock.at(end, () => this.endLeaseIfDue(router, sender)));
  }

  /** A process that was stopped may call before its alarms ring. */
  private endLeaseIfDue(router: string, sender: Sender): void {
    if (sender.lease === undefined || this.clock.now() < sender.lease.end) return;
    const isMissed = sender.interval !== undefined || sender.will !== undefined;
    cancelAll(sender);
    sender.lease = undefined;
    sender.interval = undefined;
    this.carryOut(sender);
    if (!isMissed) return;
    sender.isExpired = true;
    this.clock.soon(() => {
      sender.isExpired = false;
      this.report({ kind: 'lease-expired', router });
    });
  }

  /** Once: a will that was carried out is gone. */
  private carryOut(sender: Sender): void {
    const { will } = sender;
    if (will === undefined) return;
    sender.will = undefined;
    this.send(sender.egress, will.goodbye, 'guardian');
    for (const address of will.addresses) this.removeAddressNow(address);
    for (const route of will.routes) this.removeRouteNow(route);
  }

  private removeAddressNow(address: HostAddress): void {
    const at = this.addresses.findIndex((known) => isSameAddress(known, address));
    const device = this.devices.find(({ name }) => name === address.device);
    if (at >= 0) this.addresses.splice(at, 1);
    if (at < 0 || device === undefined) return;
    const isOther = (own: LinkAddress) =>
      own.address !== address.address || own.length !== address.prefixLength;
    this.change(device.name, { addresses: device.addresses.filter(isOther) });
  }

  private removeRouteNow(route: VirtualRoute): void {
    const at = this.routes.findIndex((known) => isSameRoute(known, route));
    if (at >= 0) this.routes.splice(at, 1);
  }

  private carryFrame(device: Device, frame: Uint8Array): void {
    this.wire.carryFrame(this, device.segment, { at: this.clock.now(), device: device.name, frame });
  }

  private addDevice(device: Omit<Device, 'ifindex'>): void {
    const others = this.devices.filter(({ name }) => name !== device.name);
    this.devices = [...others, { ...device, ifindex: this.nextIfindex++ }];
    this.reportChange();
  }

  /** Whatever is on the device or speaks by it stays there. */
  private rename(before: string, after: string): void {
    this.change(before, { name: after });
    const moved = this.addresses.map((address) =>
      address.device === before ? { ...address, device: after } : address,
    );
    this.addresses.splice(0, this.addresses.length, ...moved);
    for (const sender of this.senders.values()) {
      if (sender.egress.device === before) sender.egress = { ...sender.egress, device: after };
    }
    this.filters.delete(before);
  }

  private change(name: string, fields: Partial<Device>): void {
    this.devices = this.devices.map((device) => (device.name === name ? { ...device, ...fields } : device));
    this.reportChange();
  }

  /** Several changes in one turn are one event. */
  private reportChange(): void {
    if (this.state !== 'running' || !this.isChangeReported) return;
    this.isChangeReported = false;
    this.clock.soon(() => {
      this.isChangeReported = true;
      this.report({ kind: 'links-changed' });
    });
  }

  private failIfSet(call: 'addAddress' | 'addRoute' | 'addVirtualMac' | 'open' | 'listenForAdverts'): void {
    const failure = this.failures.get(call);
    if (failure !== undefined) throw failure;
  }

  private requireRunning(): void {
    if (this.state === 'new' || this.state === 'stopped')
      throw new DirectorError('NOT_RUNNING', 'the network is not running');
  }

  private requireDevice(name: string): Device {
    const device = this.devices.find((one) => one.name === name);
    if (device === undefined) throw new DirectorError('DEVICE_MISSING', `no such device: ${name}`);
    return device;
  }
}

function listenerKey(device: string, family: Family): string {
  return `${device} ${family}`;
}
