// In which order the scheduler visits a service's destinations. Pure: the order is part of the engine's state.
// The kernel puts a new server at the head of its list, so the newest is visited first, and a server that left after a
// failed check is the newest when it comes back; schedulers break ties and start by this order.

import type { Destination } from '../model/forwarding-table.js';
import { endpointText } from '../model/service-id.js';

/** `kernel`: newest first. `config`: as in the file. */
export type ServerOrder = 'kernel' | 'config';

/**
 * `members` (in the order of the file) as the scheduler visits them. `before` is the order in force: who stays keeps
 * the place, who is new comes to the head, one after another as in the file.
 */
export function arrange(
  order: ServerOrder,
  before: readonly Destination[],
  members: readonly Destination[],
): readonly Destination[] {
  if (order === 'config') return members;
  const waiting = new Map(members.map((member) => [endpointText(member), member]));
  const staying: Destination[] = [];
  for (const old of before) {
    const key = endpointText(old);
    const member = waiting.get(key);
    // One that was removed and is added again is new, as in the kernel.
    if (member === undefined || (old.isRemoved && !member.isRemoved)) continue;
    staying.push(member);
    waiting.delete(key);
  }
  return [...[...waiting.values()].reverse(), ...staying];
}
