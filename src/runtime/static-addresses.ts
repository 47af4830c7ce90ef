// The addresses of `static_ipaddress`: on the machine while the director runs. One that was there before stays when the
// director goes. One that can't be added (its device is not there yet) is said once and tried again; one that somebody
// else takes away is put back: whenever devices or addresses change, and each second.

import type { Dataplane, HostAddress, LocalAddress } from '../dataplane/port.js';
import type { IpAddress } from '../model/address.js';
import type { StaticAddress } from '../model/director-config.js';
import { addMicros, seconds } from '../model/units.js';
import type { Cancel, Clock } from './clock.js';
import { messageOf } from './message-of.js';
import { createSerial } from './serial.js';

type Held = {
  readonly address: HostAddress;
  state: 'missing' | 'added' | 'found';
  /** The reason why it is missing was said. */
  isReported: boolean;
};

const lookInterval = seconds(1);

export class StaticAddresses {
  private readonly held = new Map<string, Held>();
  /** Not wanted any more, and still on the machine: the kernel has refused to remove them. */
  private leaving: readonly Held[] = [];
  private readonly inTurn = createSerial();
  private isClosed = false;
  private cancelLook: Cancel | undefined;

  constructor(
    private readonly dataplane: Pick<
      Dataplane,
      'addAddress' | 'removeAddress' | 'leaveAddress' | 'takeUpAddress' | 'localAddresses' | 'lookAfter'
    >,
    private readonly clock: Clock,
    private readonly warn: (message: string) => void,
  ) {}

  /**
   * Adds what is new and removes what is gone from `wanted`. An address for which `isInUse` holds stays until it no
   * longer does: connections to a removed service drain through it.
   */
  reconcile(wanted: readonly StaticAddress[], isInUse: (address: IpAddress) => boolean): Promise<void> {
    return this.inTurn(() => this.replace(wanted, isInUse));
  }

  /** Tries again what could not be added, and adds again what somebody else has removed. */
  restore(): Promise<void> {
    return this.inTurn(async () => {
      if (this.isClosed) return;
      this.armLook();
      await this.lookAfter([...this.held.values()].filter(({ state }) => state !== 'missing'));
      await this.addMissing(this.present());
    });
  }

  /** Something could not be added or removed: `reconcile` tries again. */
  get isIncomplete(): boolean {
    return this.leaving.length > 0 || [...this.held.values()].some(({ state }) => state === 'missing');
  }

  /** What we have added; the data plane's own list shows it a moment later. */
  get added(): readonly IpAddress[] {
    return [...this.held.values()]
      .filter((held) => held.state === 'added')
      .map((held) => held.address.address);
  }

  /** The end: nothing is added after it. `leftFor`: seconds for which they stay for the director after us. */
  removeAll(leftFor?: number): Promise<void> {
    this.isClosed = true;
    this.cancelLook?.();
    return this.inTurn(async () => {
      const all = [...this.held.values(), ...this.leaving];
      this.held.clear();
      for (const held of all) await this.remove(held, leftFor);
    });
  }

  private async replace(
    wanted: readonly StaticAddress[],
    isInUse: (address: IpAddress) => boolean,
  ): Promise<void> {
    if (this.isClosed) return;
    const next = new Map(wanted.map((address) => [addressKey(address), hostAddress(address)]));
    for (const [key, held] of this.held) {
      if (next.has(key) || isInUse(held.address.address)) continue;
      this.held.delete(key);
      this.leaving = [...this.leaving, held];
    }
    const leaving = this.leaving.filter(({ address }) => !next.has(JSON.stringify(address)));
    this.leaving = [];
    for (const held of leaving) if (!(await this.remove(held))) this.leaving = [...this.leaving, held];
    for (const [key, address] of next) {
      if (!this.held.has(key)) this.held.set(key, { address, state: 'missing', isReported: false });
    }
    await this.addMissing(this.present());
    this.armLook();
  }

  private armLook(): void {
    this.cancelLook?.();
    this.cancelLook = undefined;
    if (this.held.size === 0 || this.isClosed) return;
    this.cancelLook = this.clock.at(addMicros(this.clock.now(), lookInterval), () => {
      this.restore().catch((error: unknown) =>
        this.warn(`looking after static addresses: ${messageOf(error)}`),
      );
    });
  }

  private async lookAfter(all: readonly Held[]): Promise<void> {
    const belongings = all.map(({ address }) => {
      return { kind: 'address', address, text: describeAddress(address), isOurDoing: false } as const;
    });
    const outcomes = await this.dataplane.lookAfter(belongings);
    for (const [i, { state, text, isNew }] of outcomes.entries()) {
      const held = all[i];
      if (held === undefined) continue;
      if (isNew) this.warn(text);
      if (state === 'put-back') held.state = 'added';
    }
  }

  /** `present` is the caller's: an address of ours that appears between two looks would pass for somebody else's. */
  private async addMissing(present: ReadonlySet<string>): Promise<void> {
    for (const held of this.held.values()) {
      if (held.state !== 'missing') continue;
      if (present.has(placeKey(held.address))) {
        held.state = (await this.isTakenUp(held)) ? 'added' : 'found';
        continue;
      }
      try {
        await this.dataplane.addAddress(held.address);
        held.state = 'added';
        held.isReported = false;
      } catch (error) {
        if (!held.isReported) this.warn(`can't add ${describeAddress(held.address)}: ${messageOf(error)}`);
        held.isReported = true;
      }
    }
  }

  private present(): ReadonlySet<string> {
    return new Set(this.dataplane.localAddresses().map(placeKey));
  }

  /** The director before has left it for us. */
  private async isTakenUp({ address }: Held): Promise<boolean> {
    try {
      return await this.dataplane.takeUpAddress(address);
    } catch (error) {
      this.warn(`can't take up ${describeAddress(address)}: ${messageOf(error)}`);
      return false;
    }
  }

  /** False: it is still there. */
  private async remove(held: Held, leftFor?: number): Promise<boolean> {
    if (held.state !== 'added') return true;
    try {
      if (leftFor !== undefined) await this.dataplane.leaveAddress(held.address, leftFor);
      else await this.dataplane.removeAddress(held.address);
      return true;
    } catch (error) {
      if (!held.isReported) this.warn(`can't remove ${describeAddress(held.address)}: ${messageOf(error)}`);
      held.isReported = true;
      return false;
    }
  }
}

function hostAddress(address: StaticAddress): HostAddress {
  const { device, label, scope, broadcast } = address;
  return { address: address.address, prefixLength: address.length, device, label, scope, broadcast };
}

/** The same address on another device, or with another length, is another one. */
function placeKey({ address, prefixLength, device }: LocalAddress): string {
  return `${address}/${prefixLength} ${device}`;
}

function addressKey(address: StaticAddress): string {
  return JSON.stringify(hostAddress(address));
}

function describeAddress(address: HostAddress): string {
  return `${address.address}/${address.prefixLength} on ${address.device}`;
}
