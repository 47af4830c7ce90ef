// What a data plane refuses in a table before anything else: services of kinds that are not in effect yet.

import { DirectorError } from '../errors.js';
import type { ForwardingTable } from '../model/forwarding-table.js';
import { notServedYet, serviceKey } from '../model/service-id.js';

/** Throws INVALID_CHANGE. */
export function requireServed({ services }: ForwardingTable): void {
  for (const { id } of services) {
    const reason = notServedYet(id);
    if (reason !== undefined)
      throw new DirectorError('INVALID_CHANGE', `${serviceKey(id)}: ${reason} is not in effect yet`);
  }
}
