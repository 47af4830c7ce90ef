// Which addresses belong to virtual routers, and for which of those we forward: what the engine asks before it
// publishes a service. A virtual router is known by its name here; while one restarts, two may forward for it.

import type { IpAddress } from '../../model/address.js';
import type { FailoverConfig } from '../../model/failover-config.js';
import type { AddressDuty } from '../engine.js';

export class Duty implements AddressDuty {
  private routersOf = new Map<IpAddress, string[]>();
  private closed: readonly IpAddress[] = [];
  /** Key of the one that forwards → name of its virtual router. */
  private readonly forwarding = new Map<string, string>();

  /** The addresses of `config` count from now on. */
  expect({ routers }: Pick<FailoverConfig, 'routers'>): void {
    const next = new Map<IpAddress, string[]>();
    for (const { router } of routers) {
      for (const { address } of [...router.addresses, ...router.excludedAddresses]) {
        const names = next.get(address);
        if (names === undefined) next.set(address, [router.name]);
        else names.push(router.name);
      }
    }
    this.routersOf = next;
    this.closed = routers
      .filter(({ router }) => !router.acceptsTraffic && router.priority !== 255)
      .flatMap(({ router }) =>
        [...router.addresses, ...router.excludedAddresses].map(({ address }) => address),
      );
  }

  forward(key: string, name: string, isOn: boolean): void {
    if (isOn) this.forwarding.set(key, name);
    else this.forwarding.delete(key);
  }

  readonly isVirtual = (address: IpAddress): boolean => this.routersOf.has(address);

  readonly isStandby = (address: IpAddress): boolean => {
    const names = this.routersOf.get(address);
    if (names === undefined) return false;
    for (const name of this.forwarding.values()) if (names.includes(name)) return false;
    return true;
  };

  readonly closedAddresses = (): readonly IpAddress[] =>
    this.closed.filter((address) => !this.isStandby(address));
}
