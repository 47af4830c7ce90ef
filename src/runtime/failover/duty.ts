// Which addresses belong to virtual routers, and for which of those we forward: what the engine asks before it
// publishes a service. A virtual router is known by its name and by what its peers know it by, so that a reload may change
// either; while one restarts, two may forward for it.

import type { IpAddress } from '../../model/address.js';
import type { FailoverConfig } from '../../model/failover-config.js';
import type { VirtualRouter } from '../../model/virtual-router.js';
import type { AddressDuty } from '../engine.js';

export class Duty implements AddressDuty {
  /** What the virtual routers that have an address are known by. */
  private routersOf = new Map<IpAddress, string[]>();
  private closed: readonly IpAddress[] = [];
  /** Key of the one that forwards → what its virtual router is known by. */
  private readonly forwarding = new Map<string, readonly string[]>();

  /** The addresses of `config` count from now on. */
  expect({ routers }: Pick<FailoverConfig, 'routers'>): void {
    const next = new Map<IpAddress, string[]>();
    for (const { router } of routers) {
      for (const { address } of [...router.addresses, ...router.excludedAddresses]) {
        const names = next.get(address);
        if (names === undefined) next.set(address, [...namesOf(router)]);
        else names.push(...namesOf(router));
      }
    }
    this.routersOf = next;
    this.closed = routers
      .filter(({ router }) => !router.acceptsTraffic && router.priority !== 255)
      .flatMap(({ router }) =>
        [...router.addresses, ...router.excludedAddresses].map(({ address }) => address),
      );
  }

  forward(key: string, router: VirtualRouter, isOn: boolean): void {
    if (isOn) this.forwarding.set(key, namesOf(router));
    else this.forwarding.delete(key);
  }

  readonly isVirtual = (address: IpAddress): boolean => this.routersOf.has(address);

  readonly isStandby = (address: IpAddress): boolean => {
    const names = this.routersOf.get(address);
    if (names === undefined) return false;
    return ![...this.forwarding.values()].some((own) => own.some((name) => names.includes(name)));
  };

  readonly closedAddresses = (): readonly IpAddress[] =>
    this.closed.filter((address) => !this.isStandby(address));
}

function namesOf({ name, device, family, virtualRouterId }: VirtualRouter): readonly string[] {
  return [`name ${name}`, `VRID ${virtualRouterId} IPv${family} on ${device}`];
}
