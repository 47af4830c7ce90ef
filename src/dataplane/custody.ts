// Custody of what is ours on this machine: it is compared with what should be there, and put back when somebody else has
// changed it. How often, and what is told of it, is native and the same for all that is ours: addon/host/custody.h.

import { type Micros, micros, seconds } from '../model/units.js';
import type { VirtualRoute } from '../model/virtual-router.js';
import type { HostAddress } from './host-address.js';

/** Something of ours, as it should be. */
export type Belonging = {
  /** As users know it: `10.0.0.100/24 on eth0`. */
  readonly text: string;
  /** It has not been there yet, or we took it away with another: putting it back is neither told nor counted nor limited. */
  readonly isOurDoing: boolean;
} & (
  | { readonly kind: 'address'; readonly address: HostAddress }
  | { readonly kind: 'route'; readonly route: VirtualRoute }
  | { readonly kind: 'virtual-mac'; readonly name: string; readonly parent: string; readonly mac: string }
);

export type CustodyOutcome = {
  /** `left`: it deviates still. */
  readonly state: 'in-place' | 'put-back' | 'left';
  /** What deviated, and why it is left so. */
  readonly text: string;
  /** To be told: it was put back, or is left for a reason that was not told yet. */
  readonly isNew: boolean;
};

/** What is ours in the kernel, and was changed by somebody else. */
export type CustodyStatus = {
  /** How often something was put back since the start. */
  readonly putBack: number;
  /** What deviates now and is left as it is, in words with the reason. */
  readonly deviations: readonly string[];
};

export function sumOfCustody(a: CustodyStatus, b: CustodyStatus): CustodyStatus {
  return { putBack: a.putBack + b.putBack, deviations: [...a.deviations, ...b.deviations] };
}

const maxPutBacks = 10;
const period = seconds(60);

/** Custody without a kernel, for the in-memory twins. `now` tells when each may be put back again. */
export class MemoryCustody {
  private putBack = 0;
  private readonly putBackAt = new Map<string, readonly Micros[]>();
  private deviations: readonly string[] = [];

  constructor(private readonly now: () => Micros = () => micros(0)) {}

  get status(): CustodyStatus {
    return { putBack: this.putBack, deviations: this.deviations };
  }

  /** `ensure`: true when it was missing and is there again. */
  async look(
    belongings: readonly Belonging[],
    ensure: (belonging: Belonging) => Promise<boolean>,
  ): Promise<readonly CustodyOutcome[]> {
    const outcomes: CustodyOutcome[] = [];
    for (const belonging of belongings) outcomes.push(await this.treat(belonging, ensure));
    const left = outcomes.filter(({ state, isNew }) => state === 'left' && isNew);
    this.deviations = left.map(({ text }) => text);
    return outcomes;
  }

  private async treat(
    belonging: Belonging,
    ensure: (belonging: Belonging) => Promise<boolean>,
  ): Promise<CustodyOutcome> {
    const { text, isOurDoing } = belonging;
    const now = this.now();
    const recent = (this.putBackAt.get(text) ?? []).filter((at) => now - at < period);
    if (!isOurDoing && recent.length >= maxPutBacks)
      return { state: 'left', text: `${text} was put back too often`, isNew: true };
    try {
      if (!(await ensure(belonging))) return { state: 'in-place', text: '', isNew: false };
      if (!isOurDoing) this.putBack += 1;
      if (!isOurDoing) this.putBackAt.set(text, [...recent, now]);
      const told = `${text} is gone: somebody else changed it; it is put back`;
      return { state: 'put-back', text: told, isNew: !isOurDoing };
    } catch (error) {
      return { state: 'left', text: `${text}: ${(error as Error).message}`, isNew: !isOurDoing };
    }
  }
}
