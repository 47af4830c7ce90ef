// The simulation's time: a queue of things to do, in order of time and, at one time, in order of entry. Directors see
// it through clocks of their own, which begin anywhere and run a little fast or slow.
import { type Micros, micros } from '../../src/model/units.js';

type Entry = { readonly at: number; readonly order: number; readonly run: () => void };

export class Schedule {
  /** True time in microseconds; no director sees it. */
  now = 0;
  #entries: Entry[] = [];
  #count = 0;

  at(time: number, run: () => void): void {
    const entry = { at: Math.max(time, this.now), order: this.#count++, run };
    const heap = this.#entries;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(entry, heap[parent] as Entry)) break;
      heap[i] = heap[parent] as Entry;
      i = parent;
    }
    heap[i] = entry;
  }

  after(delay: number, run: () => void): void {
    this.at(this.now + delay, run);
  }

  /** Runs everything that is due up to `time`. */
  runUntil(time: number): void {
    for (let first = this.#entries[0]; first !== undefined && first.at <= time; first = this.#entries[0]) {
      this.#removeFirst();
      this.now = first.at;
      first.run();
    }
    this.now = time;
  }

  #removeFirst(): void {
    const heap = this.#entries;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      if (!isBefore(heap[child] as Entry, last)) break;
      heap[i] = heap[child] as Entry;
      i = child;
    }
    heap[i] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** A director's own clock: `offset` µs at true time 0, `rate` of its µs to one true µs. */
export type LocalClock = { readonly offset: number; readonly rate: number };

export function localTime(clock: LocalClock, now: number): Micros {
  return micros(Math.floor(clock.offset + now * clock.rate));
}

/** The true time at which the clock has reached `local`. */
export function trueTime(clock: LocalClock, local: Micros): number {
  return Math.ceil((local - clock.offset) / clock.rate) + 1;
}
