// What the operator asked of failover: virtual routers with their scripts, sync groups, what is tracked, and who may run
// programs. Defaults and inheritance are resolved; src/vrrp wants the `router`, `group` and `TrackScript` parts alone.

import type { Origin } from './origin.js';
import { type Micros, micros } from './units.js';
import type { Account, SyncGroup, TrackScript, VirtualRouter } from './virtual-router.js';

/** A program with its arguments, as execve wants them. Without an account: that of the ScriptPolicy. */
export type ScriptCommand = { readonly words: readonly string[]; readonly account: Account | undefined };

/** `notify_*` of a virtual router or a sync group. */
export type NotifyScripts = {
  readonly master: ScriptCommand | undefined;
  readonly backup: ScriptCommand | undefined;
  readonly fault: ScriptCommand | undefined;
  readonly stop: ScriptCommand | undefined;
  /**
   * A reload has removed the virtual router. Without words nothing runs, but `any` and the FIFOs hear DELETED; when it is
   * undefined they hear FAULT.
   */
  readonly deleted: ScriptCommand | undefined;
  /** `notify_master_rx_lower_pri`: a master heard a losing one. */
  readonly masterRxLowerPriority: ScriptCommand | undefined;
  /** `notify`: every change, with type, name, state and priority behind its own arguments. */
  readonly any: ScriptCommand | undefined;
  /** `notify_priority_changes`: `notify` and the FIFOs hear of priorities, too. */
  readonly notifiesPriority: boolean;
};

export const noNotifyScripts: NotifyScripts = {
  master: undefined,
  backup: undefined,
  fault: undefined,
  stop: undefined,
  deleted: undefined,
  masterRxLowerPriority: undefined,
  any: undefined,
  notifiesPriority: false,
};

export type RouterConfig = {
  readonly router: VirtualRouter;
  readonly notify: NotifyScripts;
  readonly origin: Origin;
};

export type GroupConfig = {
  readonly group: SyncGroup;
  readonly notify: NotifyScripts;
  readonly origin: Origin;
};

/** `track_file`: a file with one number, followed as it changes. */
export type TrackFile = {
  readonly name: string;
  readonly path: string;
  /** Of tracks that name none. */
  readonly weight: number;
  readonly isReversed: boolean;
  /** `init_file`: written when the file is missing (or always, with `overwrites`). */
  readonly initial: number | undefined;
  readonly overwrites: boolean;
};

/** `notify_fifo`, `vrrp_notify_fifo`, `lvs_notify_fifo`: lines for a program of the operator's. */
export type Fifo = {
  readonly hears: 'all' | 'vrrp' | 'lvs';
  readonly path: string;
  /** Owner of a FIFO that we make. */
  readonly account: Account | undefined;
  /** Started by us with the FIFO's path behind its own arguments. */
  readonly script: ScriptCommand | undefined;
};

/** `script_user`, `enable_script_security`. */
export type ScriptPolicy = {
  /** undefined: `keepalived_script` where that account exists, else root for programs that root alone can change. */
  readonly account: Account | undefined;
  /** A script that runs as root may not be writable, or replaceable, by anybody else. */
  readonly isSecure: boolean;
};

/** Between two gratuitous ARPs, and between two unsolicited NAs, on one device or group of devices; 0: none. */
export type Pause = { readonly arp: Micros; readonly na: Micros };

/** For switches that drop bursts: `vrrp_garp_interval`, `vrrp_gna_interval`, and each `garp_group`. */
export type Pacing = Pause & {
  /** Devices that share one pause, as behind one switch; no device is in two. */
  readonly groups: readonly (Pause & { readonly devices: readonly string[] })[];
};

export type FailoverConfig = {
  /** In the order of the file; names are unique. */
  readonly routers: readonly RouterConfig[];
  readonly groups: readonly GroupConfig[];
  readonly scripts: readonly TrackScript[];
  readonly files: readonly TrackFile[];
  readonly fifos: readonly Fifo[];
  readonly pacing: Pacing;
  readonly scriptPolicy: ScriptPolicy;
  /** `fifo_write_vrrp_states_on_reload`. */
  readonly writesStatesOnReload: boolean;
  /** Where USR1, USR2 and the JSON signal write. */
  readonly dumps: { readonly data: string; readonly stats: string; readonly json: string };
};

export const noFailover: FailoverConfig = {
  routers: [],
  groups: [],
  scripts: [],
  files: [],
  fifos: [],
  pacing: { arp: micros(0), na: micros(0), groups: [] },
  scriptPolicy: { account: undefined, isSecure: false },
  writesStatesOnReload: false,
  dumps: {
    data: '/tmp/keepalived.data',
    stats: '/tmp/keepalived.stats',
    json: '/tmp/keepalived.json',
  },
};
