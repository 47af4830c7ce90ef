// One heap of deadlines for all checkers: 10,000 checkers need one timer. Pure; knows no clock.
// An item has at most one deadline; a new one replaces the old one in place.

import type { Micros } from '../model/units.js';

type Slot<T> = { readonly item: T; deadline: Micros; index: number };

/** A binary heap; every operation costs O(log n). */
export class Schedule<T> {
  private readonly heap: Slot<T>[] = [];
  private readonly slots = new Map<T, Slot<T>>();

  get size(): number {
    return this.heap.length;
  }

  /** The earliest deadline; undefined when there is none. */
  next(): Micros | undefined {
    return this.heap[0]?.deadline;
  }

  /** Sets the item's deadline; undefined takes the item out. */
  set(item: T, deadline: Micros | undefined): void {
    const slot = this.slots.get(item);
    if (deadline === undefined) {
      if (slot !== undefined) this.remove(slot);
    } else if (slot === undefined) {
      const added = { item, deadline, index: this.heap.length };
      this.slots.set(item, added);
      this.heap.push(added);
      this.rise(added);
    } else {
      slot.deadline = deadline;
      this.rise(slot);
      this.sink(slot);
    }
  }

  /** Takes out and returns the item whose deadline is the earliest, if that is due. */
  takeDue(now: Micros): T | undefined {
    const first = this.heap[0];
    if (first === undefined || first.deadline > now) return undefined;
    this.remove(first);
    return first.item;
  }

  private remove(slot: Slot<T>): void {
    this.slots.delete(slot.item);
    const last = this.heap.pop();
    if (last === undefined || last === slot) return;
    this.place(last, slot.index);
    this.rise(last);
    this.sink(last);
  }

  private rise(slot: Slot<T>): void {
    while (slot.index > 0) {
      const parent = this.heap[(slot.index - 1) >> 1];
      if (parent === undefined || parent.deadline <= slot.deadline) return;
      this.swap(slot, parent);
    }
  }

  private sink(slot: Slot<T>): void {
    for (;;) {
      const left = this.heap[slot.index * 2 + 1];
      const right = this.heap[slot.index * 2 + 2];
      const child =
        right !== undefined && left !== undefined && right.deadline < left.deadline ? right : left;
      if (child === undefined || child.deadline >= slot.deadline) return;
      this.swap(slot, child);
    }
  }

  private swap(a: Slot<T>, b: Slot<T>): void {
    const index = a.index;
    this.place(a, b.index);
    this.place(b, index);
  }

  private place(slot: Slot<T>, index: number): void {
    slot.index = index;
    this.heap[index] = slot;
  }
}
