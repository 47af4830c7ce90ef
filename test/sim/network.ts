// The links between directors and hosts: they lose, delay, duplicate and reorder packets, cut single directions, and send a
// director's own packets back to it. Members of a sync group may be on links of their own.
import type { IpAddress } from '../../src/model/address.js';
import type { Schedule } from './clock.js';
import type { Random } from './prng.js';

export type Packet = {
  readonly bytes: Uint8Array;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly ttl: number;
  readonly isMulticast: boolean;
  /** Which virtual router's socket it is for, as the host sorts them by VRID. */
  readonly virtualRouterId: number;
};

export type Conditions = {
  readonly loss: number;
  readonly duplicates: number;
  readonly echoes: number;
  /** Each packet's delay is between the two. */
  readonly delay: readonly [number, number];
  /** Packets of one sender to one receiver stay in order; otherwise they overtake each other. */
  readonly isOrdered: boolean;
};

/** The hosts of the link, as a place that packets go to. */
export const hosts = -1;

export class Network {
  conditions: Conditions;
  /** Directions that are cut, as `link:from>to`. */
  readonly cuts = new Set<string>();
  readonly #lastArrival = new Map<string, number>();

  constructor(
    readonly schedule: Schedule,
    readonly random: Random,
    conditions: Conditions,
  ) {
    this.conditions = conditions;
  }

  cut(link: number, from: number, to: number): void {
    this.cuts.add(`${link}:${from}>${to}`);
  }

  /** Carries something from one place to another; `arrive` runs for each copy that gets there. */
  carry(link: number, from: number, to: number, arrive: () => void): void {
    const { loss, duplicates, echoes } = this.conditions;
    if (from === to && !this.random.chance(echoes)) return;
    const way = `${link}:${from}>${to}`;
    if (this.cuts.has(way)) return;
    const copies = this.random.chance(duplicates) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.random.chance(loss)) continue;
      const [least, most] = this.conditions.delay;
      const earliest = this.conditions.isOrdered ? (this.#lastArrival.get(way) ?? 0) : 0;
      const at = Math.max(earliest, this.schedule.now + this.random.between(least, most));
      this.#lastArrival.set(way, Math.max(at, this.#lastArrival.get(way) ?? 0));
      this.schedule.at(at, () => {
        if (!this.cuts.has(way)) arrive();
      });
    }
  }
}
