// Publishes the forwarding table: whatever changes within one turn of the event loop, or while a publish is under way,
// goes out as one table. A hundred checks that fail at once are one publish. A table of a new configuration is offered: what
// it was made of is in force when the data plane has taken it, and not before.

import type { Dataplane } from '../dataplane/port.js';
import type { ForwardingTable } from '../model/forwarding-table.js';
import { addMicros, seconds } from '../model/units.js';
import type { Cancel, Clock } from './clock.js';

/** A table that was refused is tried again after it. */
const retryPause = seconds(5);

type Offer = Waiter & {
  readonly build: () => ForwardingTable;
  readonly onForce: (table: ForwardingTable) => void;
};
type Waiter = { readonly resolve: (generation: number) => void; readonly reject: (error: unknown) => void };

export type PublishOutcome =
  | { readonly kind: 'published'; readonly generation: number }
  /** The old table stays in force; the next change tries again, or `retryPause`. */
  | { readonly kind: 'failed'; readonly error: unknown };

export class Publisher {
  private isWanted = false;
  private isPublishing = false;
  private isStopped = false;
  private cancelTurn: Cancel | undefined;
  private cancelRetry: Cancel | undefined;
  private offers: Offer[] = [];
  private waiters: Waiter[] = [];
  private current = 0;
  private wasRefused = false;
  private table: ForwardingTable | undefined;

  constructor(
    private readonly dataplane: Pick<Dataplane, 'publish'>,
    private readonly clock: Clock,
    private readonly buildTable: () => ForwardingTable,
    private readonly onOutcome: (outcome: PublishOutcome) => void,
  ) {}

  /** The generation in force; 0 before the first. */
  get generation(): number {
    return this.current;
  }

  /** The table in force; undefined before the first. */
  get inForce(): ForwardingTable | undefined {
    return this.table;
  }

  /** The table in force is the newest there is, and no change is being made. */
  get isIdle(): boolean {
    return !this.isWanted && !this.isPublishing && this.offers.length === 0;
  }

  /** False while a change is on its way, or was refused. */
  get isCurrent(): boolean {
    return this.isIdle && !this.wasRefused;
  }

  /** The table has changed: publish it soon. */
  request(): void {
    this.isWanted = true;
    this.schedule();
  }

  /** Publishes what stands now and resolves with a generation that holds it; rejects with the data plane's error. */
  flush(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject });
      this.request();
    });
  }

  /** Publishes what `build` gives in place of what stands; `onForce` runs in the turn in which it is in force. Rejects: nothing has changed. */
  offer(build: () => ForwardingTable, onForce: (table: ForwardingTable) => void): Promise<number> {
    return new Promise((resolve, reject) => {
      this.offers.push({ build, onForce, resolve, reject });
      this.schedule();
    });
  }

  stop(): void {
    this.isStopped = true;
    this.cancelRetry?.();
    this.cancelTurn?.();
    this.cancelTurn = undefined;
  }

  private schedule(): void {
    if (this.isPublishing || this.isStopped || this.cancelTurn !== undefined) return;
    this.cancelTurn = this.clock.soon(() => {
      this.cancelTurn = undefined;
      return this.turn();
    });
  }

  private async turn(): Promise<void> {
    if (this.isPublishing) return;
    this.isPublishing = true;
    try {
      const offer = this.offers.shift();
      if (offer === undefined) await this.publish();
      else await this.publishOffer(offer);
    } finally {
      this.isPublishing = false;
    }
    if (this.isWanted || this.offers.length > 0) this.schedule();
  }

  private async publishOffer({ build, onForce, resolve, reject }: Offer): Promise<void> {
    try {
      const table = build();
      const generation = await this.dataplane.publish(table);
      onForce(table);
      this.take(table, generation);
      resolve(generation);
    } catch (error) {
      reject(error);
    }
  }

  private take(table: ForwardingTable, generation: number): void {
    this.current = generation;
    this.table = table;
    this.wasRefused = false;
    this.cancelRetry?.();
    this.cancelRetry = undefined;
    this.onOutcome({ kind: 'published', generation });
  }

  private retryLater(): void {
    this.cancelRetry ??= this.clock.at(addMicros(this.clock.now(), retryPause), () => {
      this.cancelRetry = undefined;
      this.request();
    });
  }

  private async publish(): Promise<void> {
    this.isWanted = false;
    const waiters = this.waiters;
    this.waiters = [];
    try {
      const table = this.buildTable();
      this.take(table, await this.dataplane.publish(table));
      for (const waiter of waiters) waiter.resolve(this.current);
    } catch (error) {
      this.wasRefused = true;
      // A publish that the stop has overtaken is nobody's failure.
      if (!this.isStopped) {
        this.onOutcome({ kind: 'failed', error });
        this.retryLater();
      }
      for (const waiter of waiters) waiter.reject(error);
    }
  }
}
