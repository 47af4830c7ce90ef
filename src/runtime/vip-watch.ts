// Watches whether each service's address is on a device of this machine: without that nobody answers for it, and no
// packet arrives. Says so once when it goes missing and once when it is there again.

import type { IpAddress } from '../model/address.js';

export class VipWatch {
  private missing = new Set<IpAddress>();

  constructor(
    private readonly warn: (message: string) => void,
    private readonly info: (message: string) => void,
  ) {}

  /** Addresses of services that are on no device now. */
  get missingAddresses(): ReadonlySet<IpAddress> {
    return this.missing;
  }

  /** `services`: the address of each service in force, with its name for people. */
  check(
    services: Iterable<{ readonly address: IpAddress; readonly key: string }>,
    local: ReadonlySet<IpAddress>,
  ): void {
    const names = new Map<IpAddress, string[]>();
    for (const { address, key } of services) {
      const list = names.get(address);
      if (list === undefined) names.set(address, [key]);
      else list.push(key);
    }
    const missing = new Set<IpAddress>();
    for (const [address, keys] of names) {
      if (local.has(address)) {
        if (this.missing.has(address)) this.info(`${address} is on a device of this machine now`);
        continue;
      }
      missing.add(address);
      if (!this.missing.has(address)) {
        this.warn(
          `${address} is on no device of this machine: no packet will arrive for ${abbreviate(keys)}. ` +
            'Add it with virtual_ipaddress of a vrrp_instance or with static_ipaddress, or route it here',
        );
      }
    }
    this.missing = missing;
  }
}

function abbreviate(names: readonly string[]): string {
  const [first = '', ...rest] = names;
  return rest.length === 0 ? first : `${first} and ${rest.length} more`;
}
