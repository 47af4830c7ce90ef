// The port between the control plane and whatever moves packets: the addon (native.ts) or its in-memory twin
// (memory.ts). Both pass test/contract/dataplane.test.ts. Nothing here blocks longer than building one table.

import type { IpAddress } from '../model/address.js';
import type { ClientRules } from '../model/client-rules.js';
import type { ForwardingMethod, ForwardingTable, Service } from '../model/forwarding-table.js';
import type { DestinationId, Protocol, ServiceId } from '../model/service-id.js';
import type { Belonging, CustodyOutcome, CustodyStatus } from './custody.js';
import type { HostAddress, LocalAddress } from './host-address.js';

export type { HostAddress, LocalAddress } from './host-address.js';

export type DataplaneOptions = {
  /** Devices to attach to; undefined: every device with Ethernet or IP frames that is up and not enslaved, followed as they come and go. */
  readonly interfaces: readonly string[] | undefined;
  /** Upper bound of the connection table. */
  readonly connections: number;
  /** CPU to pin the worker to. */
  readonly cpu: number | undefined;
  /** By which connections get from one director to the next on this machine: written at the end, taken up and removed at the start. */
  readonly connectionFile?: string | undefined;
};

/** Sums since start (or since `zero`): packets and bytes at the IP layer, as IPVS counts them. */
export type Traffic = {
  readonly connections: bigint;
  readonly inPackets: bigint;
  readonly outPackets: bigint;
  readonly inBytes: bigint;
  readonly outBytes: bigint;
};

export type DestinationStatus = DestinationId & {
  readonly method: ForwardingMethod;
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  /** Connections in ESTABLISHED or SYN_RECV. */
  readonly active: number;
  readonly inactive: number;
  readonly persistent: number;
  readonly isOverloaded: boolean;
  /** The address is one of this machine's own: packets go to the host. */
  readonly isLocal: boolean;
  readonly traffic: Traffic;
};

export type ServiceStatus = {
  readonly id: ServiceId;
  readonly traffic: Traffic;
  /** In the scheduler's order. */
  readonly destinations: readonly DestinationStatus[];
};

export type ConnectionRecord = {
  readonly protocol: Protocol;
  readonly client: { readonly address: IpAddress; readonly port: number };
  readonly virtual: { readonly address: IpAddress; readonly port: number };
  readonly destination: { readonly address: IpAddress; readonly port: number };
  /**
   * IPVS's name: NONE, ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT, TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK, LISTEN, SYNACK, UDP;
   * of a template NONE, or ASSURED once one of its connections was established.
   */
  readonly state: string;
  /** A persistence template: no connection, but which server the client (its network, at port 0) has. */
  readonly isTemplate?: true;
  /** Milliseconds until the connection expires, at least 0. */
  readonly expires_ms: number;
};

export type ConnectionPage = {
  readonly connections: readonly ConnectionRecord[];
  /** Give it as `after` to go on; undefined at the end. */
  readonly next: number | undefined;
};

export type DropReasonCount = {
  /** Stable snake_case name, for example `truncated_header`. */
  readonly reason: string;
  /** One sentence for people. */
  readonly text: string;
  readonly count: bigint;
};

/** What was done with connections so that clients are served on. */
export type FlowEventCount = {
  /** Stable snake_case name, for example `unconfirmed_gave_way`. */
  readonly event: string;
  /** One sentence for people. */
  readonly text: string;
  readonly count: bigint;
};

export type DataplaneStatus = {
  /** The newest generation that every worker has taken up. */
  readonly generation: number;
  /** Number of buckets of the connection table: `size=` in ipvsadm's listing. */
  readonly tableSize: number;
  readonly connectionCount: number;
  readonly connectionLimit: number;
  readonly verdicts: {
    readonly forward: bigint;
    readonly answer: bigint;
    readonly toHost: bigint;
    readonly drop: bigint;
    /** Waiting for a neighbour to be resolved; each later gets one of the verdicts above. */
    readonly held: bigint;
  };
  readonly drops: readonly DropReasonCount[];
  readonly flowEvents: readonly FlowEventCount[];
  /** What was left to the host although a service may have been meant; counted beside the verdicts. */
  readonly passes: readonly DropReasonCount[];
  readonly custody: CustodyStatus;
  readonly devices: readonly DeviceStatus[];
  /** What was picked and why, in words. */
  readonly io: string;
  readonly steering: string;
};

export type DeviceStatus = {
  readonly name: string;
  readonly ifindex: number;
  readonly mac: string;
  readonly mtu: number;
  readonly isAttached: boolean;
  /** Why it is not attached; undefined when it is. */
  readonly reason: string | undefined;
};

export type DataplaneEvent =
  | { readonly kind: 'device-attached'; readonly device: string }
  | { readonly kind: 'device-detached'; readonly device: string; readonly reason: string }
  | { readonly kind: 'warning'; readonly message: string }
  /** A named limit was reached (said once a limit, counted after that). */
  | { readonly kind: 'limit'; readonly limit: string; readonly message: string }
  | { readonly kind: 'addresses-changed' }
  /** Connections of the director before; in words, with those that were refused. */
  | { readonly kind: 'taken-up'; readonly message: string }
  /** The data plane can't go on; it passes everything to the host from here. */
  | { readonly kind: 'failed'; readonly message: string };

export interface Dataplane {
  /** Attaches and starts to move packets. Throws PRIVILEGE_MISSING, KERNEL_UNSUPPORTED, DEVICE_MISSING or ALREADY_RUNNING; nothing is left behind then. */
  start(options: DataplaneOptions, onEvent: (event: DataplaneEvent) => void): Promise<void>;
  /**
   * Puts a complete table in force and resolves with its generation once every worker has taken it up.
   * Destinations that stay keep their connections, counters and the scheduler's position. Throws LIMIT_REACHED; the old table stays then.
   */
  publish(table: ForwardingTable): Promise<number>;
  /** With the counters of the moment of the call, row by row: a caller of thousands takes several turns. */
  services(): Iterable<ServiceStatus>;
  /** Does what publishing a row costs on the event loop ahead of it, so that a caller can spread it over turns. */
  prepare(service: Service): void;
  /** The same for whom services take, in steps. */
  prepareClients(clients: ClientRules): Iterable<void>;
  /** At most `limit` connections, in no particular order; each that lives through the whole walk appears once. */
  connections(limit: number, after?: number): Promise<ConnectionPage>;
  status(): DataplaneStatus;
  /** Sets traffic counters to zero (all services). */
  zero(): void;
  /** What is on this machine's devices now; one address may be on several of them, or with several lengths on one. */
  localAddresses(): readonly LocalAddress[];
  /** Adds an address to a device, marked as ours; ok when it is there already. Throws DEVICE_MISSING or IO. */
  addAddress(address: HostAddress): Promise<void>;
  /** Removes it again; ok when it is gone. */
  removeAddress(address: HostAddress): Promise<void>;
  /** Leaves one of our addresses for the director that is started after us: it goes after `seconds` (1 or more) by itself. */
  leaveAddress(address: HostAddress, seconds: number): Promise<void>;
  /** True: the director before has left it for us, and it stays now. */
  takeUpAddress(address: HostAddress): Promise<boolean>;
  /** Compares what should be there with what is, one by one, and puts it back; an outcome each. */
  lookAfter(belongings: readonly Belonging[]): Promise<readonly CustodyOutcome[]>;
  /** We are in the place of the director before: what it left at the devices is removed. */
  settle(): Promise<void>;
  /**
   * Detaches, removes what is ours in the kernel and frees everything. Safe to call twice. `isRestart`: a director is
   * started again at once; what is ours is dropped until that has settled, for ten seconds at most.
   */
  stop(isRestart?: boolean): Promise<void>;
}
