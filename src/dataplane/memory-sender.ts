// Of the in-memory network: what one virtual router sends from, its repetition, its lease and its last will.

import type { Micros } from '../model/units.js';
import type { AdvertEgress, AdvertMessage, LastWill } from './network.js';

export type Sender = {
  egress: AdvertEgress;
  messages: readonly AdvertMessage[];
  /** undefined: the repeater is silent. */
  interval: Micros | undefined;
  lease: { readonly length: Micros; readonly end: Micros } | undefined;
  will: LastWill | undefined;
  /** The lease has run out and nobody has been told yet. */
  isExpired: boolean;
  cancels: (() => void)[];
};

export function newSender(egress: AdvertEgress): Sender {
  return {
    egress,
    messages: [],
    interval: undefined,
    lease: undefined,
    will: undefined,
    isExpired: false,
    cancels: [],
  };
}

export function cancelAll(sender: Sender): void {
  for (const cancel of sender.cancels.splice(0)) cancel();
}
