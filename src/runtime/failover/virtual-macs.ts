// The devices of virtual MACs: made, renamed or moved before a reload's virtual routers need them; from then on they are in
// custody. Whoever has used one last removes it (failover.ts).

import type { Network } from '../../dataplane/network.js';
import type { RouterChange } from '../../model/diff-failover.js';
import type { FailoverConfig } from '../../model/failover-config.js';
import type { VirtualRouter } from '../../model/virtual-router.js';
import { messageOf } from '../message-of.js';
import type { Holdings } from './holdings.js';
import type { Instance, Report } from './instance.js';

export type VirtualMacParts = {
  readonly network: Pick<Network, 'links' | 'addVirtualMac'>;
  readonly holdings: Holdings;
  readonly report: (instance: Instance, report: Report) => void;
  /** A device was made or could not be: look at the machine again. */
  readonly onTried: () => void;
};

/** Names of devices that give way to others while their virtual routers give up. */
const asidePrefix = 'uvs-old';

export class VirtualMacs {
  private readonly pending = new Map<Instance, Promise<void>>();
  /** Prepared for a reload, and not followed yet. */
  private readonly moving = new Set<Instance>();
  /** Told already. */
  private readonly failed = new Set<Instance>();
  private readonly states = new Map<Instance, 'made' | 'left'>();

  constructor(private readonly parts: VirtualMacParts) {}

  /** Its device is being made or moved: what is seen of it meanwhile says nothing. */
  isBusy(instance: Instance): boolean {
    return this.pending.has(instance) || this.moving.has(instance);
  }

  /** Makes the device that `router` needs. What can't be made is told once; `mustRetry` says so. */
  make(instance: Instance, router = instance.router): Promise<void> {
    return this.pending.get(instance) ?? this.work(instance, () => this.add(instance, router));
  }

  /** It was made and is in custody: what somebody else does to it is undone. */
  isMade(instance: Instance): boolean {
    return this.states.get(instance) === 'made';
  }

  /** Somebody else has taken it away or set it down, and it could not be put back, or too often. */
  isLeft(instance: Instance): boolean {
    return this.states.get(instance) === 'left';
  }

  note(instance: Instance, state: 'made' | 'left'): void {
    this.states.set(instance, state);
  }

  /**
   * Before `changes` are followed, after which there are `routers`: whatever has a name that another device is to have gives way, and the devices of routers
   * that change get their new names and addresses. `instances`: all that there are, the ones that give up among them.
   * `followed` comes next.
   */
  async prepare(
    instances: readonly Instance[],
    changes: readonly RouterChange[],
    { routers }: Pick<FailoverConfig, 'routers'>,
  ): Promise<void> {
    const wanted = new Map<string | undefined, string>();
    for (const { router } of routers)
      if (router.virtualMacDevice !== undefined) wanted.set(router.virtualMacDevice, placeText(router));
    const afters = new Map<string, VirtualRouter>();
    for (const change of changes) {
      if (change.kind === 'failover-changed' || change.kind === 'failover-renamed')
        afters.set(change.before.router.name, change.after.router);
    }
    const moves = instances.map((instance) => ({
      instance,
      after: instance.purpose === 'running' ? afters.get(instance.name) : undefined,
    }));
    for (const { instance, after } of moves) {
      const { router } = instance;
      const claimed = wanted.get(router.virtualMacDevice);
      const isReaddressed = after !== undefined && after.virtualMacDevice === router.virtualMacDevice;
      if (claimed !== undefined && claimed !== placeText(router) && !isReaddressed)
        await this.setAside(instance);
    }
    for (const { instance, after } of moves) {
      if (after?.virtualMacDevice === undefined) continue;
      this.moving.add(instance);
      const { virtualMacDevice, virtualMac } = instance.router;
      if (virtualMac !== after.virtualMac) await this.make(instance, after);
      else if (virtualMacDevice !== after.virtualMacDevice)
        await this.rename(instance, after.virtualMacDevice);
    }
  }

  followed(): void {
    this.moving.clear();
  }

  forget(instance: Instance): void {
    this.failed.delete(instance);
    this.states.delete(instance);
  }

  private async setAside(instance: Instance): Promise<void> {
    this.moving.add(instance);
    const taken = new Set(this.parts.network.links().map(({ name }) => name));
    let number = 1;
    while (taken.has(`${asidePrefix}.${number}`)) number += 1;
    await this.rename(instance, `${asidePrefix}.${number}`);
  }

  /** The router's addresses are on a device of that name from now on, if the kernel has it so. */
  private async rename(instance: Instance, name: string): Promise<void> {
    await this.pending.get(instance);
    await this.work(instance, async () => {
      await this.add(instance, { ...instance.router, virtualMacDevice: name });
      if (!instance.mustRetry) instance.renameDevice(name);
    });
  }

  private work(instance: Instance, job: () => Promise<void>): Promise<void> {
    const work = job().finally(() => {
      this.pending.delete(instance);
      this.parts.onTried();
    });
    this.pending.set(instance, work);
    return work;
  }

  private async add(instance: Instance, router: VirtualRouter): Promise<void> {
    const { virtualMacDevice: name, virtualMac: mac, device: parent } = router;
    if (name === undefined || mac === undefined) return;
    try {
      const { network, holdings } = this.parts;
      await holdings.change(async () => {
        await network.addVirtualMac(name, parent, mac);
        // On another parent it was made anew.
        holdings.doubt(name);
      });
      this.states.set(instance, 'made');
      instance.mustRetry = false;
      this.failed.delete(instance);
    } catch (error) {
      instance.mustRetry = true;
      const text = `the device ${name} can't be made on ${parent}: ${messageOf(error)}`;
      const isReported = this.failed.has(instance);
      this.failed.add(instance);
      if (!isReported) this.parts.report(instance, { level: 'error', code: 'device-failed', text });
    }
  }
}

/** What the device of the name is: two with one text are the same. */
function placeText({ device, virtualMac }: VirtualRouter): string {
  return `${device} ${virtualMac}`;
}
