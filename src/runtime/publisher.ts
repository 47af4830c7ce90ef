// Publishes the forwarding table: whatever changes within one turn of the event loop, or while a publish is under way,
// goes out as one table. A hundred checks that fail at once are one publish.

import type { Dataplane } from '../dataplane/port.js';
import type { ForwardingTable } from '../model/forwarding-table.js';
import type { Cancel, Clock } from './clock.js';

type Waiter = { readonly resolve: (generation: number) => void; readonly reject: (error: unknown) => void };

export type PublishOutcome =
  | { readonly kind: 'published'; readonly generation: number }
  /** The old table stays in force; the next change tries again. */
  | { readonly kind: 'failed'; readonly error: unknown };

export class Publisher {
  private isWanted = false;
  private isHeld = false;
  private isPublishing = false;
  private isStopped = false;
  private cancelTurn: Cancel | undefined;
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
    return !this.isWanted && !this.isPublishing && !this.isHeld;
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

  /** Nothing is published until `release`: many changes are being made that belong together. */
  hold(): void {
    this.isHeld = true;
    this.cancelTurn?.();
    this.cancelTurn = undefined;
  }

  release(): void {
    this.isHeld = false;
    if (this.isWanted) this.schedule();
  }

  stop(): void {
    this.isStopped = true;
    this.cancelTurn?.();
    this.cancelTurn = undefined;
  }

  private schedule(): void {
    if (this.isHeld || this.isPublishing || this.isStopped || this.cancelTurn !== undefined) return;
    this.cancelTurn = this.clock.soon(() => {
      this.cancelTurn = undefined;
      void this.publish();
    });
  }

  private async publish(): Promise<void> {
    this.isWanted = false;
    this.isPublishing = true;
    const waiters = this.waiters;
    this.waiters = [];
    try {
      const table = this.buildTable();
      this.current = await this.dataplane.publish(table);
      this.table = table;
      this.wasRefused = false;
      this.onOutcome({ kind: 'published', generation: this.current });
      for (const waiter of waiters) waiter.resolve(this.current);
    } catch (error) {
      this.wasRefused = true;
      // A publish that the stop has overtaken is nobody's failure.
      if (!this.isStopped) this.onOutcome({ kind: 'failed', error });
      for (const waiter of waiters) waiter.reject(error);
    }
    this.isPublishing = false;
    if (this.isWanted) this.schedule();
  }
}
