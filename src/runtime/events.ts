// What a director tells its caller: events as values, through a bounded buffer per listener that drops the oldest and
// says how many.

import type { DestinationId, ServiceId } from '../model/service-id.js';
import type { Micros } from '../model/units.js';
import type { Cause } from '../vrrp/cause.js';
import type { VrrpState } from '../vrrp/state.js';
import type { GroupState } from './failover/group.js';

export type DirectorEvent =
  | { readonly kind: 'started'; readonly generation: number }
  | { readonly kind: 'stopped' }
  /** `changes` in words, one each; empty when the configuration said nothing new. */
  | { readonly kind: 'reloaded'; readonly generation: number; readonly changes: readonly string[] }
  | { readonly kind: 'reload-failed'; readonly message: string }
  /** A forwarding table is in force. */
  | { readonly kind: 'published'; readonly generation: number }
  | { readonly kind: 'publish-failed'; readonly message: string }
  | { readonly kind: 'server-up'; readonly service: ServiceId; readonly server: DestinationId }
  | {
      readonly kind: 'server-down';
      readonly service: ServiceId;
      readonly server: DestinationId;
      readonly reason: string;
    }
  /** The quorum is reached. */
  | { readonly kind: 'service-up'; readonly service: ServiceId }
  /** The quorum is lost; `hasSorryServer`: the sorry server has taken over. */
  | { readonly kind: 'service-down'; readonly service: ServiceId; readonly hasSorryServer: boolean }
  /** A removed service, or a removed server of one, has no connections left and is gone. */
  | { readonly kind: 'drained'; readonly service: ServiceId; readonly server: DestinationId | undefined }
  | { readonly kind: 'device-attached'; readonly device: string }
  | { readonly kind: 'device-detached'; readonly device: string; readonly reason: string }
  /** `why`: the cause in words. `priority` is the effective one. */
  | {
      readonly kind: 'virtual-router-changed';
      readonly router: string;
      readonly from: VrrpState['kind'];
      readonly to: VrrpState['kind'];
      readonly cause: Cause['kind'];
      readonly why: string;
      readonly priority: number;
    }
  /** What a virtual router has to say: a second master, an address that is held twice. One of a code every now and then. */
  | {
      readonly kind: 'virtual-router-report';
      readonly router: string;
      readonly level: 'info' | 'warning' | 'error';
      readonly code: string;
      readonly text: string;
    }
  | { readonly kind: 'sync-group-changed'; readonly group: string; readonly state: GroupState }
  /** This director has replaced a master that was lost; the time until our addresses were there. */
  | {
      readonly kind: 'takeover';
      readonly router: string;
      readonly took: Micros;
      readonly budget: Micros;
      readonly isWithin: boolean;
      readonly why: string;
    }
  /** This process stood still for so long that the guardian has taken the addresses away. */
  | { readonly kind: 'lease-expired'; readonly router: string }
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'limit'; readonly limit: string; readonly message: string }
  /** The data plane can't go on; everything passes to the host. */
  | { readonly kind: 'failed'; readonly message: string }
  /** So many events were dropped here, because their reader was too slow. */
  | { readonly kind: 'dropped'; readonly count: number };

/** Events that one slow reader may lag behind. */
export const maxBufferedEvents = 1_000;

/** Hands each event to every listener. */
export class EventStream {
  private readonly queues = new Set<EventQueue>();
  private isClosed = false;

  emit(event: DirectorEvent): void {
    for (const queue of this.queues) queue.push(event);
  }

  /** Events from now on; ends when the stream is closed or the loop is left. */
  listen(limit = maxBufferedEvents): AsyncIterable<DirectorEvent> & AsyncIterator<DirectorEvent> {
    const queue = new EventQueue(limit, () => this.queues.delete(queue));
    if (this.isClosed) queue.close();
    else this.queues.add(queue);
    return queue;
  }

  /** Lets every listener read what is buffered, and end. */
  close(): void {
    this.isClosed = true;
    for (const queue of this.queues) queue.close();
    this.queues.clear();
  }
}

type Result = IteratorResult<DirectorEvent, undefined>;

class EventQueue implements AsyncIterable<DirectorEvent>, AsyncIterator<DirectorEvent> {
  private buffer: DirectorEvent[] = [];
  private droppedCount = 0;
  private readers: ((result: Result) => void)[] = [];
  private isClosed = false;

  constructor(
    private readonly limit: number,
    private readonly onLeave: () => void,
  ) {}

  push(event: DirectorEvent): void {
    const reader = this.readers.shift();
    if (reader !== undefined) {
      reader({ value: event, done: false });
      return;
    }
    this.buffer.push(event);
    if (this.buffer.length <= this.limit) return;
    this.buffer.shift();
    this.droppedCount += 1;
  }

  close(): void {
    this.isClosed = true;
    for (const reader of this.readers) reader({ value: undefined, done: true });
    this.readers = [];
  }

  async next(): Promise<Result> {
    if (this.droppedCount > 0) {
      const count = this.droppedCount;
      this.droppedCount = 0;
      return { value: { kind: 'dropped', count }, done: false };
    }
    const event = this.buffer.shift();
    if (event !== undefined) return { value: event, done: false };
    if (this.isClosed) return { value: undefined, done: true };
    return new Promise((resolve) => {
      this.readers.push(resolve);
    });
  }

  async return(): Promise<Result> {
    this.buffer = [];
    this.close();
    this.onLeave();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
