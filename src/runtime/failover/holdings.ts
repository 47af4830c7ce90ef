// The virtual addresses and routes that are on this machine by our doing, each with its owners: a virtual router that
// is restarted under another identity hands over to its successor without a gap, because the last owner removes. What
// should be there is compared with what is there by looks, which never overlap with changes of ours.

import type { Belonging, CustodyOutcome } from '../../dataplane/custody.js';
import type { Link, Network } from '../../dataplane/network.js';
import type { HostAddress } from '../../dataplane/port.js';
import { DirectorError } from '../../errors.js';
import { familyOf, isLinkLocal, type Prefix } from '../../model/address.js';
import type { VirtualRoute, VirtualRouter } from '../../model/virtual-router.js';
import { messageOf } from '../message-of.js';
import { createSerial, type Serial } from '../serial.js';
import { addressDevice } from './placement.js';

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
  /** We have added it since somebody owns it. */
  isAdded: boolean;
  /** Somebody else takes it away, and it could not be put back, or too often. */
  isLeft: boolean;
  isFailureReported: boolean;
};

export type HoldingsNetwork = Pick<
  Network,
  'addAddress' | 'removeAddress' | 'addRoute' | 'removeRoute' | 'lookAfter'
>;

/** What a look has found. */
export type Findings = {
  /** Of what is told; `isBack`: it is there again. Devices have no owner here. */
  readonly news: readonly {
    readonly belonging: Belonging;
    readonly owner: string | undefined;
    readonly text: string;
    readonly isBack: boolean;
  }[];
  /** Owners of what is there now and was not before. */
  readonly helped: ReadonlySet<string>;
};

export class Holdings {
  private readonly held = new Map<string, Holding>();
  /** Addresses of the machine's own, by `kernelKey`. */
  private readonly spared = new Set<string>();
  /** A look is under way: changes wait for its end. */
  private looking: Promise<unknown> | undefined;
  /** Changes that are under way: nothing is looked at meanwhile. */
  private changing = 0;
  /** Where we have removed addresses since we last repaired: others may have gone with a primary one, and routes with both. */
  private readonly touched = new Set<string>();
  /** What a run before has left of an owner's could not be looked at. */
  private readonly uncleaned = new Map<string, () => Promise<void>>();

  constructor(
    private readonly network: HoldingsNetwork,
    private readonly warn: (owner: string, message: string) => void,
  ) {}

  /** `owner` holds these from now on; what is on the machine already is not removed by anybody else. */
  claim(owner: string, possessions: Possessions): void {
    for (const thing of thingsOf(possessions)) this.holdingOf(thing).owners.add(owner);
  }

  /** Adds what is not there yet: addresses, then routes. What can't be added is said once; looks try again. */
  add(owner: string, possessions: Possessions): Promise<void> {
    this.claim(owner, possessions);
    return this.change(() => this.addNow(owner, possessions));
  }

  /** Gives up what `owner` holds: routes, then addresses; the newest first. */
  remove(owner: string): Promise<void> {
    return this.change(() => this.drop(owner, this.ownedBy(owner)));
  }

  /**
   * From what `owner` holds now to `next`: new things come before old ones go, unless both are one to the kernel. Whatever
   * the kernel has taken along is there again when it resolves.
   */
  exchange(owner: string, next: Possessions): Promise<void> {
    return this.change(() => this.exchangeNow(owner, next));
  }

  private async addNow(owner: string, possessions: Possessions): Promise<void> {
    this.claim(owner, possessions);
    for (const thing of thingsOf(possessions)) await this.ensure(owner, this.holdingOf(thing));
  }

  private async exchangeNow(owner: string, next: Possessions): Promise<void> {
    const wanted = thingsOf(next);
    const kept = new Set(wanted.map(keyOf));
    const leaving = this.ownedBy(owner).filter(({ thing }) => !kept.has(keyOf(thing)));
    const isColliding = ({ thing }: Holding) => wanted.some((other) => kernelKey(other) === kernelKey(thing));
    await this.drop(owner, leaving.filter(isColliding));
    await this.addNow(owner, next);
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

  /**
   * Removes what a dead run may have left of these, and nothing that is held; what can't be removed is said once and tried
   * again. `links`: of an owner (255), whose own addresses are spared.
   */
  async clean(owner: string, possessions: Possessions, links?: () => readonly Link[]): Promise<void> {
    try {
      if (links !== undefined) this.spare(possessions, links());
    } catch (error) {
      const isReported = this.uncleaned.has(owner);
      this.uncleaned.set(owner, () => this.clean(owner, possessions, links));
      if (!isReported) this.warn(owner, `can't see what a run before has left: ${messageOf(error)}`);
      return;
    }
    this.uncleaned.delete(owner);
    await this.change(async () => {
      for (const thing of thingsOf(possessions).reverse())
        if (!this.held.has(keyOf(thing))) await this.dropUnowned(owner, this.holdingOf(thing));
    });
  }

  /**
   * Compares all that is owned, and `devices`, with the machine and puts back what is missing. Undefined when a change or
   * another look is under way: then is not the time.
   */
  async look(devices: readonly Belonging[]): Promise<Findings | undefined> {
    if (this.changing > 0 || this.looking !== undefined) return undefined;
    const news: Findings['news'][number][] = [];
    const helped = new Set<string>();
    const owned = [...this.held.values()].filter(({ owners }) => owners.size > 0);
    const belongings = [...devices, ...owned.map((holding) => belongingOf(holding.thing, !holding.isAdded))];
    const outcomes = await this.lookAfter(belongings);
    for (const [i, { state, text, isNew }] of outcomes.entries()) {
      const [belonging, holding] = [belongings[i], owned[i - devices.length]];
      if (belonging === undefined) continue;
      const [owner] = holding?.owners ?? [];
      if (isNew) news.push({ belonging, owner, text, isBack: state === 'put-back' });
      if (holding === undefined) continue;
      if (owner !== undefined && (state === 'put-back' || (!holding.isAdded && state === 'in-place')))
        helped.add(owner);
      holding.isLeft = state === 'left';
      if (!holding.isLeft) holding.isAdded = true;
    }
    return { news, helped };
  }

  /** What is on the device may have gone by our own doing: the next look adds it again. */
  doubt(device: string): void {
    for (const holding of this.held.values()) {
      const { thing } = holding;
      const place = thing.kind === 'address' ? thing.address.device : thing.route.device;
      if (place === device) holding.isAdded = false;
    }
  }

  /** Tries again what nobody owns any more and could not be removed. */
  async retryRemovals(): Promise<void> {
    for (const clean of [...this.uncleaned.values()]) await clean();
    await this.change(async () => {
      for (const holding of this.held.values())
        if (holding.owners.size === 0) await this.dropUnowned('', holding);
    });
  }

  /** True while something that nobody owns any more could not be removed. */
  get hasLeftovers(): boolean {
    const isLeft = ({ owners, isFailureReported }: Holding) => isFailureReported && owners.size === 0;
    return this.uncleaned.size > 0 || [...this.held.values()].some(isLeft);
  }

  /** True while somebody owns something. */
  get isInUse(): boolean {
    return [...this.held.values()].some(({ owners }) => owners.size > 0);
  }

  /** True when every address of `owner` is on the machine. */
  isComplete(owner: string): boolean {
    return this.ownedBy(owner).every(({ isAdded, isLeft }) => isAdded && !isLeft);
  }

  /** Runs `job`, which changes something of ours, while nobody looks. */
  async change(job: () => Promise<void>): Promise<void> {
    while (this.looking !== undefined) await this.looking;
    this.changing += 1;
    try {
      await job();
    } finally {
      this.changing -= 1;
      if (this.changing === 0 && this.touched.size > 0) await this.repair();
    }
  }

  /** Deleting a primary address deletes its secondary ones, and an address the routes that come from it. */
  private async repair(): Promise<void> {
    const mayBeGone = ({ thing, owners, isAdded }: Holding) =>
      owners.size > 0 && isAdded && (thing.kind === 'route' || this.touched.has(thing.address.device));
    const suspects = [...this.held.values()].filter(mayBeGone);
    this.touched.clear();
    const outcomes = await this.lookAfter(suspects.map(({ thing }) => belongingOf(thing, true)));
    for (const [i, suspect] of suspects.entries()) {
      const { state } = outcomes[i] ?? { state: 'left' };
      // The next look tries again.
      if (state === 'left') suspect.isAdded = false;
    }
  }

  private async lookAfter(belongings: readonly Belonging[]): Promise<readonly CustodyOutcome[]> {
    const ask = async () => this.network.lookAfter(belongings);
    const look = ask().catch((error: unknown) => this.onLookFailed(error));
    this.looking = look;
    const outcomes = await look;
    this.looking = undefined;
    return outcomes;
  }

  /** Of a network that was stopped meanwhile nothing is said. */
  private onLookFailed(error: unknown): readonly CustodyOutcome[] {
    const [owner] = [...this.held.values()].flatMap(({ owners }) => [...owners]);
    const isStopped = error instanceof DirectorError && error.code === 'NOT_RUNNING';
    if (!isStopped) this.warn(owner ?? '', `can't look after what is ours: ${messageOf(error)}`);
    return [];
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
      isLeft: false,
      isFailureReported: false,
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
        holding.isFailureReported = false;
      } catch (error) {
        if (!holding.isFailureReported) this.warn(owner, `can't add ${nameOf(thing)}: ${messageOf(error)}`);
        holding.isFailureReported = true;
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
        const isReported = holding.isFailureReported;
        holding.isFailureReported = true;
        if (!isReported) this.warn(owner, `can't remove ${nameOf(thing)}: ${messageOf(error)}`);
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
    if (thing.kind === 'address') this.touched.add(thing.address.device);
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

function belongingOf(thing: Thing, isOurDoing: boolean): Belonging {
  return { ...thing, text: nameOf(thing), isOurDoing };
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
