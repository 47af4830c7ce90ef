// The network of the addon behind the port: sockets, threads and the guardian in C++ (addon/host/failover_network.h), values here.
// Adds nothing but error codes.

import type { Family } from '../model/address.js';
import type { VirtualRoute } from '../model/virtual-router.js';
import type { Belonging, CustodyOutcome, CustodyStatus } from './custody.js';
import { coded, loadNative } from './native-module.js';
import type {
  AdvertEgress,
  AdvertListener,
  AdvertMessage,
  AdvertOrigin,
  LastWill,
  Link,
  Network,
  NetworkEvent,
  ProbeFilter,
  Repetition,
} from './network.js';
import type { HostAddress } from './port.js';

/** Failover's network on this machine; start() needs CAP_NET_ADMIN and CAP_NET_RAW. */
export function createNativeNetwork(): Network {
  return new NetworkPort(new (loadNative().Network)());
}

class NetworkPort implements Network {
  constructor(private readonly native: Network) {}

  start(onEvent: (event: NetworkEvent) => void): Promise<void> {
    return settled(() => this.native.start(onEvent));
  }

  links(): readonly Link[] {
    return checked(() => this.native.links());
  }

  listenForAdverts(listener: AdvertListener): void {
    checked(() => this.native.listenForAdverts(listener));
  }

  stopListeningForAdverts(device: string, family: Family): void {
    this.native.stopListeningForAdverts(device, family);
  }

  follow(router: string, master: AdvertOrigin | undefined): void {
    this.native.follow(router, master);
  }

  open(egress: AdvertEgress): void {
    checked(() => this.native.open(egress));
  }

  close(router: string): void {
    this.native.close(router);
  }

  advertise(
    router: string,
    messages: readonly AdvertMessage[],
    repetition: Repetition | undefined,
  ): string | undefined {
    return this.native.advertise(router, messages, repetition);
  }

  entrust(router: string, will: LastWill): Promise<void> {
    return settled(() => this.native.entrust(router, will));
  }

  revoke(router: string): void {
    this.native.revoke(router);
  }

  sendFrame(device: string, frame: Uint8Array): string | undefined {
    return this.native.sendFrame(device, frame);
  }

  listenForFrames(filter: ProbeFilter): void {
    checked(() => this.native.listenForFrames(filter));
  }

  stopListeningForFrames(device: string): void {
    this.native.stopListeningForFrames(device);
  }

  addAddress(address: HostAddress): Promise<void> {
    return settled(() => this.native.addAddress(address));
  }

  removeAddress(address: HostAddress): Promise<void> {
    return settled(() => this.native.removeAddress(address));
  }

  leaveAddress(address: HostAddress, seconds: number): Promise<void> {
    return settled(() => this.native.leaveAddress(address, seconds));
  }

  addRoute(route: VirtualRoute): Promise<void> {
    return settled(() => this.native.addRoute(route));
  }

  removeRoute(route: VirtualRoute): Promise<void> {
    return settled(() => this.native.removeRoute(route));
  }

  addVirtualMac(name: string, parent: string, mac: string): Promise<void> {
    return settled(() => this.native.addVirtualMac(name, parent, mac));
  }

  removeVirtualMac(name: string): Promise<void> {
    return settled(() => this.native.removeVirtualMac(name));
  }

  lookAfter(belongings: readonly Belonging[]): Promise<readonly CustodyOutcome[]> {
    return settled(() => this.native.lookAfter(belongings));
  }

  custody(): CustodyStatus {
    return this.native.custody();
  }

  stop(): Promise<void> {
    return settled(() => this.native.stop());
  }
}

function checked<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw coded(error);
  }
}

/** Errors of the call itself reject, too. */
async function settled<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw coded(error);
  }
}
