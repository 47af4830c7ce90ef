// Which addresses belong to virtual routers, and for which of those we forward: what the engine asks before it
// publishes a service. A virtual router is known by its name and by what its peers know it by, so that a reload may change
// either; while one restarts, two may forward for it.

import type { IpAddress } from '../../model/address.js';
import type { FailoverConfig } from '../../model/failover-config.js';
import type { VirtualRouter } from '../../model/virtual-router.js';
import type { AddressRoles } from '../engine.js';

type Expectation = {
  /** What the virtual routers that have an address are known by. */
  readonly routersOf: ReadonlyMap<IpAddress, readonly string[]>;
  readonly closed: readonly IpAddress[];
};

export class ServedAddresses implements AddressRoles {
  private current: Expectation = { routersOf: new Map(), closed: [] };
  /** Key of the one that forwards → what its virtual router is known by. */
  private readonly forwarding = new Map<string, readonly string[]>();

  /** What will be answered when the virtual routers of `config` are in force; `adopt` puts them there. */
  expect(config: Pick<FailoverConfig, 'routers'>): {
    readonly roles: AddressRoles;
    readonly adopt: () => void;
  } {
    const expectation = expectationOf(config);
    const roles: AddressRoles = {
      isVirtual: (address) => expectation.routersOf.has(address),
      isStandby: (address) => this.isStandbyIn(expectation, address),
      closedAddresses: () => expectation.closed.filter((address) => !this.isStandbyIn(expectation, address)),
    };
    const adopt = () => {
      this.current = expectation;
    };
    return { roles, adopt };
  }

  forward(key: string, router: VirtualRouter, isOn: boolean): void {
    if (isOn) this.forwarding.set(key, namesOf(router));
    else this.forwarding.delete(key);
  }

  readonly isVirtual = (address: IpAddress): boolean => this.current.routersOf.has(address);

  readonly isStandby = (address: IpAddress): boolean => this.isStandbyIn(this.current, address);

  readonly closedAddresses = (): readonly IpAddress[] =>
    this.current.closed.filter((address) => !this.isStandby(address));

  private isStandbyIn({ routersOf }: Expectation, address: IpAddress): boolean {
    const names = routersOf.get(address);
    if (names === undefined) return false;
    return ![...this.forwarding.values()].some((own) => own.some((name) => names.includes(name)));
  }
}

function expectationOf({ routers }: Pick<FailoverConfig, 'routers'>): Expectation {
  const routersOf = new Map<IpAddress, string[]>();
  for (const { router } of routers) {
    for (const { address } of [...router.addresses, ...router.excludedAddresses]) {
      const names = routersOf.get(address);
      if (names === undefined) routersOf.set(address, [...namesOf(router)]);
      else names.push(...namesOf(router));
    }
  }
  const closed = routers
    .filter(({ router }) => !router.acceptsTraffic && router.priority !== 255)
    .flatMap(({ router }) =>
      [...router.addresses, ...router.excludedAddresses].map(({ address }) => address),
    );
  return { routersOf, closed };
}

function namesOf({ name, device, family, virtualRouterId }: VirtualRouter): readonly string[] {
  return [`name ${name}`, `VRID ${virtualRouterId} IPv${family} on ${device}`];
}
