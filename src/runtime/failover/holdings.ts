// The virtual addresses and routes that are on this machine by our doing, each with its owners: a virtual router that
// is restarted under another identity hands over to its successor without a gap, because the last owner removes.

import type { Link, Network } from '../../dataplane/network.js';
import type { HostAddress } from '../../dataplane/port.js';
import { familyOf, isLinkLocal, type Prefix } from '../../model/address.js';
import type { VirtualRoute, VirtualRouter } from '../../model/virtual-router.js';
import { messageOf } from '../message-of.js';
import { createSerial, type Serial } from '../serial.js';
import { addressDevice } from './foothold.js';

/** What a virtual router holds while it is master. */
export type Possessions = {
  readonly addresses: readonly HostAddress[];
  readonly routes: readonly VirtualRoute[];
};

type Thing =
  | { readonly kind: 'address'; readonly address: HostAddress }
  | { readonly kind: 'route'; readonly route: VirtualRoute };

type Holding = {
  readonly thing: Thing;
  readonly owners: Set<string>;
  /** Calls for one thing never overlap. */
  readonly inTurn: Serial;
  isAdded: boolean;
  /** It was among the machine's addresses since it was added: when it is not any more, somebody has taken it. */
  isSeen: boolean;
  isFailureTold: boolean;
};

export type HoldingsNetwork = Pick<Network, 'addAddress' | 'removeAddress' | 'addRoute' | 'removeRoute'>;

export class Holdings {
  private readonly held = new Map<string, Holding>();
  /** Addresses of the machine's own, by `kernelKey`. */
  private readonly spared = new Set<string>();

  constructor(
    private readonly network: HoldingsNetwork,
    private readonly warn: (owner: string, message: string) => void,
  ) {}

  /** `owner` holds these from now on; what is on the machine already is not removed by anybody else. */
  claim(owner: string, possessions: Possessions): void {
    for (const thing of thingsOf(possessions)) this.holdingOf(thing).owners.add(owner);
  }

  /** Adds what is not there yet: addresses, then routes. What can't be added is said once; `retry` tries again. */
  async add(owner: string, possessions: Possessions): Promise<void> {
    this.claim(owner, possessions);
    for (const thing of thingsOf(possessions)) await this.ensure(owner, this.holdingOf(thing));
  }

  /** Gives up what `owner` holds: routes, then addresses; the newest first. */
  remove(owner: string): Promise<void> {
    return this.drop(owner, this.ownedBy(owner));
  }

  /** From what `owner` holds now to `next`: new things come before old ones go, unless both are one to the kernel. */
  async exchange(owner: string, next: Possessions): Promise<void> {
    const wanted = thingsOf(next);
    const kept = new Set(wanted.map(keyOf));
    const leaving = this.ownedBy(owner).filter(({ thing }) => !kept.has(keyOf(thing)));
    const isColliding = ({ thing }: Holding) => wanted.some((other) => kernelKey(other) === kernelKey(thing));
    await this.drop(owner, leaving.filter(isColliding));
    await this.add(owner, next);
    await this.drop(
      owner,
      leaving.filter((holding) => !isColliding(holding)),
    );
  }

  /** A device is called otherwise now, and what `owner` holds there is on it still. `add` makes sure of it. */
  renameDevice(owner: string, before: string, after: string): void {
    for (const holding of this.ownedBy(owner)) {
      const moved = movedTo(holding.thing, before, after);
      if (moved === undefined) continue;
      this.held.delete(keyOf(holding.thing));
      this.held.set(keyOf(moved), { ...holding, thing: moved, isAdded: false });
    }
  }

  /**
   * Never removes those of the addresses without which a device would have none of the family: they are the machine's own.
   * What is there beside another one may be left by a daemon that died, and would stay when a successor has it.
   */
  spare({ addresses }: Possessions, links: readonly Link[]): void {
    const isOurs = ({ address }: Prefix, device: string) =>
      addresses.some((one) => one.device === device && one.address === address);
    for (const one of addresses) {
      const present = links.find(({ name }) => name === one.device)?.addresses ?? [];
      const isOther = (prefix: Prefix) =>
        familyOf(prefix.address) === familyOf(one.address) &&
        !isLinkLocal(prefix.address) &&
        !isOurs(prefix, one.device);
      if (isOn(one, links) && !present.some(isOther)) this.spared.add(kernelKey(addressThing(one)));
    }
  }

  /** What may be removed of these. */
  removable({ addresses, routes }: Possessions): Possessions {
    return { addresses: addresses.filter((address) => !this.isSpared(addressThing(address))), routes };
  }

  /** Removes what a dead run may have left of these, and nothing that is held. */
  async clean(owner: string, possessions: Possessions): Promise<void> {
    for (const thing of thingsOf(possessions).reverse()) {
      if (this.held.has(keyOf(thing))) continue;
      await this.take(thing).catch((error) =>
        this.warn(owner, `can't remove ${nameOf(thing)}: ${messageOf(error)}`),
      );
    }
  }

  /** Tries again what could not be added or removed. Gives the owners of what is there now. */
  async retry(): Promise<ReadonlySet<string>> {
    const helped = new Set<string>();
    for (const holding of this.held.values()) {
      const [owner] = holding.owners;
      if (owner === undefined) await this.dropUnowned('', holding);
      if (owner === undefined || holding.isAdded || !holding.isFailureTold) continue;
      await this.ensure(owner, holding);
      if (holding.isAdded) helped.add(owner);
    }
    return helped;
  }

  /** True while something that is owned could not be added, or something that nobody owns any more not be removed. */
  get isIncomplete(): boolean {
    return [...this.held.values()].some(({ owners, isAdded, isFailureTold }) => {
      return isFailureTold && (owners.size === 0 || !isAdded);
    });
  }

  /** Addresses that somebody else has removed, with an owner each; they count as not added from here on. */
  findLost(links: readonly Link[]): readonly { readonly owner: string; readonly address: HostAddress }[] {
    const lost: { owner: string; address: HostAddress }[] = [];
    for (const holding of this.held.values()) {
      const { thing, owners, isAdded } = holding;
      const [owner] = owners;
      if (thing.kind !== 'address' || owner === undefined || !isAdded) continue;
      const isThere = isOn(thing.address, links);
      if (!isThere && holding.isSeen) {
        holding.isAdded = false;
        lost.push({ owner, address: thing.address });
      }
      holding.isSeen = isThere;
    }
    return lost;
  }

  /** True when every address of `owner` is on the machine. */
  isComplete(owner: string): boolean {
    return this.ownedBy(owner).every(({ isAdded }) => isAdded);
  }

  private ownedBy(owner: string): Holding[] {
    return [...this.held.values()].filter(({ owners }) => owners.has(owner));
  }

  private async drop(owner: string, leaving: readonly Holding[]): Promise<void> {
    for (const { owners } of leaving) owners.delete(owner);
    const isRoute = ({ thing }: Holding) => thing.kind === 'route';
    const routes = leaving.filter(isRoute);
    const addresses = leaving.filter((holding) => !isRoute(holding));
    for (const holding of [...routes, ...addresses.reverse()]) await this.dropUnowned(owner, holding);
  }

  private holdingOf(thing: Thing): Holding {
    const key = keyOf(thing);
    const known = this.held.get(key);
    if (known !== undefined) return known;
    const fresh: Holding = {
      thing,
      owners: new Set(),
      inTurn: createSerial(),
      isAdded: false,
      isSeen: false,
      isFailureTold: false,
    };
    this.held.set(key, fresh);
    return fresh;
  }

  private ensure(owner: string, holding: Holding): Promise<void> {
    return holding.inTurn(async () => {
      if (holding.isAdded || holding.owners.size === 0) return;
      const { thing } = holding;
      try {
        if (thing.kind === 'address') await this.network.addAddress(thing.address);
        else await this.network.addRoute(thing.route);
        holding.isAdded = true;
        holding.isSeen = false;
        holding.isFailureTold = false;
      } catch (error) {
        if (!holding.isFailureTold) this.warn(owner, `can't add ${nameOf(thing)}: ${messageOf(error)}`);
        holding.isFailureTold = true;
      }
    });
  }

  private dropUnowned(owner: string, holding: Holding): Promise<void> {
    return holding.inTurn(async () => {
      if (holding.owners.size > 0) return;
      const { thing } = holding;
      holding.isAdded = false;
      try {
        await this.take(thing);
      } catch (error) {
        const isTold = holding.isFailureTold;
        holding.isFailureTold = true;
        if (!isTold) this.warn(owner, `can't remove ${nameOf(thing)}: ${messageOf(error)}`);
        return;
      }
      // Whoever has come meanwhile waits in line to add it again.
      if (holding.owners.size === 0) this.held.delete(keyOf(thing));
    });
  }

  private isSpared(thing: Thing): boolean {
    return this.spared.has(kernelKey(thing));
  }

  private async take(thing: Thing): Promise<void> {
    if (this.isSpared(thing)) return;
    return thing.kind === 'address'
      ? this.network.removeAddress(thing.address)
      : this.network.removeRoute(thing.route);
  }
}

/** Everything that comes and goes with mastership; virtual_ipaddress first. */
export function possessionsOf(router: VirtualRouter): Possessions {
  const addresses = [...router.addresses, ...router.excludedAddresses].map(
    ({ address, length, device, label, scope, broadcast }): HostAddress => ({
      address,
      prefixLength: length,
      device: device ?? addressDevice(router),
      label,
      scope,
      broadcast,
    }),
  );
  return { addresses, routes: router.routes };
}

/** Both, each thing once. */
export function unionOf(a: Possessions, b: Possessions): Possessions {
  const each = <T>(list: readonly T[]) => [
    ...new Map(list.map((item) => [JSON.stringify(item), item])).values(),
  ];
  return { addresses: each([...a.addresses, ...b.addresses]), routes: each([...a.routes, ...b.routes]) };
}

function isOn({ address, prefixLength, device }: HostAddress, links: readonly Link[]): boolean {
  const link = links.find(({ name }) => name === device);
  return (
    link?.addresses.some((prefix) => prefix.address === address && prefix.length === prefixLength) === true
  );
}

function thingsOf({ addresses, routes }: Possessions): Thing[] {
  return [...addresses.map(addressThing), ...routes.map(routeThing)];
}

function addressThing(address: HostAddress): Thing {
  return { kind: 'address', address };
}

function routeThing(route: VirtualRoute): Thing {
  return { kind: 'route', route };
}

/** undefined: it is not on the device `before`. */
function movedTo(thing: Thing, before: string, device: string): Thing | undefined {
  if (thing.kind === 'address') {
    return thing.address.device === before ? addressThing({ ...thing.address, device }) : undefined;
  }
  return thing.route.device === before ? routeThing({ ...thing.route, device }) : undefined;
}

function keyOf(thing: Thing): string {
  return JSON.stringify(thing);
}

/** Two things with one key are one to the kernel, whatever else differs: IPv6 has an address once on a device. */
function kernelKey(thing: Thing): string {
  if (thing.kind === 'address') {
    const { address, prefixLength, device } = thing.address;
    return familyOf(address) === 6 ? `${address} ${device}` : `${address}/${prefixLength} ${device}`;
  }
  const { destination, table, metric } = thing.route;
  return `${destination.address}/${destination.length} ${table} ${metric}`;
}

function nameOf(thing: Thing): string {
  if (thing.kind === 'address') {
    const { address, prefixLength, device } = thing.address;
    return `${address}/${prefixLength} on ${device}`;
  }
  const { destination, device, gateway } = thing.route;
  const via = gateway === undefined ? '' : ` via ${gateway}`;
  return `the route ${destination.address}/${destination.length}${via}${device === undefined ? '' : ` dev ${device}`}`;
}
