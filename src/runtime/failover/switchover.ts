// A planned switchover: each master gives up make before break, and the answer tells who took over and how long that
// took, or that nobody did and this director is master again.

import { DirectorError } from '../../errors.js';
import type { IpAddress } from '../../model/address.js';
import { type Micros, micros, secondsText } from '../../model/units.js';
import type { Clock } from '../clock.js';
import type { Instance, Transition } from './instance.js';

export type SwitchoverOutcome = {
  readonly router: string;
  /** `waiting`: nobody asked for the end of it. */
  readonly kind: 'taken-over' | 'nobody-took-over' | 'interrupted' | 'waiting';
  /** In a sentence. */
  readonly text: string;
  /** Who is master now; undefined: not another one. */
  readonly by: IpAddress | undefined;
  /** From priority 0 until the successor was heard, or until it was given up. */
  readonly took: Micros | undefined;
};

type Waiter = { readonly since: Micros; readonly resolve: (outcome: SwitchoverOutcome) => void };

export class Switchovers {
  private readonly waiters = new Map<Instance, Waiter[]>();

  constructor(private readonly clock: Clock) {}

  /** Resolves when `instance`, which is giving up from now on, is no longer doing so. */
  watch(instance: Instance): Promise<SwitchoverOutcome> {
    return new Promise((resolve) => {
      const list = this.waiters.get(instance) ?? [];
      this.waiters.set(instance, [...list, { since: this.clock.now(), resolve }]);
    });
  }

  onTransition(instance: Instance, { from, to, cause }: Transition): void {
    const waiters = this.waiters.get(instance);
    if (from !== 'releasing' || waiters === undefined) return;
    this.waiters.delete(instance);
    for (const { since, resolve } of waiters) {
      const took = micros(this.clock.now() - since);
      const by = cause.kind === 'taken-over' ? cause.by : undefined;
      // A member of a group is master again because another one is.
      const hasNobody = cause.kind === 'nobody-took-over' || (cause.kind === 'group' && to === 'master');
      const kind = by !== undefined ? 'taken-over' : hasNobody ? 'nobody-took-over' : 'interrupted';
      resolve({ router: instance.name, kind, text: textOf(kind, by, took, to), by, took });
    }
  }

  /** Nobody is kept waiting for what will not happen any more. */
  close(): void {
    for (const [instance, waiters] of this.waiters) {
      const text = 'the director has stopped';
      const outcome = {
        router: instance.name,
        kind: 'interrupted',
        text,
        by: undefined,
        took: undefined,
      } as const;
      for (const { resolve } of waiters) resolve(outcome);
    }
    this.waiters.clear();
  }
}

function textOf(
  kind: SwitchoverOutcome['kind'],
  by: IpAddress | undefined,
  took: Micros,
  to: Transition['to'],
): string {
  if (kind === 'taken-over') return `${by} took over after ${secondsText(took)}`;
  if (kind !== 'nobody-took-over') return `it ended in state ${to} after ${secondsText(took)}`;
  const rest = to === 'master' ? 'this director is master again' : `this director is in state ${to}`;
  return `nobody took over within ${secondsText(took)}; ${rest}`;
}

/** Who is to give up: all of `targets`, or those that are master. Throws NOT_MASTER when nobody is, or not `isAll`. */
export function mastersOf(targets: readonly Instance[], isAll: boolean): readonly Instance[] {
  const others = targets.filter(({ state }) => state.kind !== 'master');
  if (isAll && others.length > 0) {
    const states = others.map(({ name, state }) => `${name} is in state ${state.kind}`).join(', ');
    throw new DirectorError(
      'NOT_MASTER',
      `a switchover starts at the master; here ${states}${mastersText(others)}`,
    );
  }
  if (others.length === targets.length) {
    throw new DirectorError('NOT_MASTER', `no virtual router is master here${mastersText(targets)}`);
  }
  return targets.filter((instance) => !others.includes(instance));
}

/** Where to ask for one instead. */
function mastersText(instances: readonly Instance[]): string {
  const heard = instances.flatMap(({ state }) =>
    state.kind === 'backup' ? (state.master?.source ?? []) : [],
  );
  const masters = [...new Set(heard)];
  return masters.length === 0 ? '' : `; the master is ${masters.join(', ')}: run it there`;
}
