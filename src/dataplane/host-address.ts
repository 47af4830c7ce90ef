// Addresses on this machine's devices.

import type { IpAddress } from '../model/address.js';

/** Where an address stands. */
export type LocalAddress = {
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly device: string;
};

export type HostAddress = {
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly device: string;
  readonly label: string | undefined;
  readonly scope: 'global' | 'link' | 'host' | 'site';
  readonly broadcast: IpAddress | undefined;
};
