// What a command line of ipvsadm asks for, as values: what ipvsadm would hand to the kernel. It may ask for more than the
// director has; who turns it into changes refuses that in words.

import type { Family, IpAddress } from '../model/address.js';

export type AskedProtocol = 'tcp' | 'udp' | 'sctp';

export type AskedService =
  /** Port 0 is every port. */
  | {
      readonly kind: 'address';
      readonly protocol: AskedProtocol;
      readonly address: IpAddress;
      readonly port: number;
    }
  | { readonly kind: 'mark'; readonly mark: number; readonly family: Family };

export type AskedSettings = {
  readonly scheduler: string;
  /** Bits as ipvsadm's flag-1, flag-2, flag-3: 1, 2, 4. */
  readonly flags: number;
  readonly onePacket: boolean;
  /** undefined: not persistent. */
  readonly persistence: AskedPersistence | undefined;
  readonly engine: string | undefined;
};

export type AskedPersistence = {
  readonly timeout_s: number;
  /** A mask of IPv4, or the length of a prefix of IPv6; undefined: each client by itself. */
  readonly mask: IpAddress | number | undefined;
};

/** Port 0: that of the packet. */
export type AskedServerId = { readonly address: IpAddress; readonly port: number };

export type AskedServer = AskedServerId & {
  readonly method: 'nat' | 'dr' | 'tun';
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  readonly tunnel: AskedTunnel | undefined;
};

export type AskedTunnel = {
  readonly type: 'ipip' | 'gue' | 'gre';
  readonly port: number | undefined;
  readonly checksum: 'none' | 'full' | 'remote';
};

export type AskedListing = {
  readonly kind: 'plain' | 'stats' | 'rate' | 'thresholds' | 'persistent-conn' | 'tun-info';
  readonly isExact: boolean;
  readonly isSorted: boolean;
};

export type AskedCommand =
  | {
      readonly kind: 'add-service' | 'edit-service';
      readonly service: AskedService;
      readonly set: AskedSettings;
    }
  | { readonly kind: 'delete-service'; readonly service: AskedService }
  | { readonly kind: 'clear' | 'restore' | 'help' | 'version' }
  | {
      readonly kind: 'add-server' | 'edit-server';
      readonly service: AskedService;
      readonly server: AskedServer;
    }
  | { readonly kind: 'delete-server'; readonly service: AskedService; readonly server: AskedServerId }
  | {
      readonly kind: 'list';
      readonly what: 'services' | 'connections' | 'timeouts' | 'daemons';
      readonly service: AskedService | undefined;
      readonly isNumeric: boolean;
      readonly listing: AskedListing;
    }
  | { readonly kind: 'zero'; readonly service: AskedService | undefined }
  | { readonly kind: 'save'; readonly isNumeric: boolean }
  /** 0: as it is. */
  | { readonly kind: 'set'; readonly tcp_s: number; readonly tcpFin_s: number; readonly udp_s: number }
  | { readonly kind: 'start-daemon' | 'stop-daemon'; readonly role: 'master' | 'backup' };
