// The typed mouth of the addon: exactly what addon/node exports, and the one place that loads it.
// Native code answers with values and Errors that carry an ErrorCode in `code`; `coded` turns those into DirectorError.

import { createRequire } from 'node:module';
import { DirectorError, type ErrorCode } from '../errors.js';
import type { Belonging, CustodyOutcome } from './custody.js';
import type { Network } from './network.js';
import type { DataplaneEvent, DataplaneOptions, DataplaneStatus, HostAddress, LocalAddress } from './port.js';

/** What every native data plane can do, on real devices or in memory. */
export type NativeCore = {
  /** `table` is encodeTable's bytes; built off the event loop. Resolves with the generation that every worker took up. */
  publish(table: Uint8Array): Promise<number>;
  /** Fills counters of the newest published table in its order, see counterCount. Returns the generation they are of. */
  readCounters(into: BigUint64Array): number;
  /** Rows of decodeConnections; `next` is undefined at the end. */
  connections(limit: number, after: number): Promise<{ rows: Uint8Array; next: number | undefined }>;
  status(): DataplaneStatus;
  zero(): void;
};

export type NativeDataplane = NativeCore & {
  start(options: DataplaneOptions, onEvent: (event: DataplaneEvent) => void): Promise<void>;
  localAddresses(): LocalAddress[];
  addAddress(address: HostAddress): Promise<void>;
  removeAddress(address: HostAddress): Promise<void>;
  leaveAddress(address: HostAddress, seconds: number): Promise<void>;
  takeUpAddress(address: HostAddress): Promise<boolean>;
  lookAfter(belongings: readonly Belonging[]): Promise<CustodyOutcome[]>;
  settle(): Promise<void>;
  stop(isRestart: boolean): Promise<void>;
};

/** One packet that came out of a MemoryDataplane. */
export type MemoryOutput = {
  readonly verdict: 'forward' | 'answer' | 'toHost';
  readonly egressIfindex: number;
  readonly ingressIfindex: number;
  readonly bytes: Uint8Array;
};

/** The machine that a MemoryDataplane believes it runs on. Addresses as text, prefixes as `10.0.0.0/8`. */
export type MemoryHost = {
  readonly links: readonly { ifindex: number; mtu: number; mac: string }[];
  readonly addresses: readonly { address: string; ifindex: number }[];
  readonly routes: readonly { prefix: string; ifindex: number; gateway?: string }[];
  readonly neighbours: readonly { address: string; ifindex: number; mac: string }[];
};

/** The whole path on memory_link, one turn at a time, on a clock handed in. For tests and for comparing schedulers. */
export type NativeMemoryDataplane = NativeCore & {
  inject(ifindex: number, frame: Uint8Array): void;
  /** One turn of the worker at `now` (µs). */
  runOnce(now: number): void;
  /** What came out since the last call, in order. */
  take(): MemoryOutput[];
};

export type TcpProbe = {
  readonly id: number;
  readonly address: string;
  readonly port: number;
  readonly bindAddress: string | undefined;
  readonly bindPort: number;
  readonly bindDevice: string | undefined;
  readonly fwmark: number;
  readonly timeout_ms: number;
};

/** Connects and closes, on a thread of its own; see addon/host/tcp_probe.h. */
export type NativeTcpProber = {
  probe(probes: readonly TcpProbe[]): void;
  cancel(id: number): void;
};

/** Without `error` the connection was made; `code` is that of the call that failed. */
export type TcpProbeEnd = { readonly id: number; readonly error?: string; readonly code?: string };

/** Writes to a descriptor from a thread of its own; see addon/host/line_writer.h. */
export type NativeLineWriter = {
  /** Whole lines; never waits. */
  write(lines: string): void;
  /** `count` of lines since the start, why the newest was lost, and whether something was written since. */
  loss(): { readonly count: number; readonly reason: string; readonly isOver: boolean };
  /** Holds up the caller until all is written or lost, at most so long; false when something still waits. */
  drain(patience_ms: number): boolean;
};

export type NativeModule = {
  readonly Dataplane: new () => NativeDataplane;
  /** Exactly the port; errors carry their code as native code gives it. */
  readonly Network: new () => Network;
  readonly MemoryDataplane: new (options: { connections: number; host: MemoryHost }) => NativeMemoryDataplane;
  /** Sends `text` to the service manager ($NOTIFY_SOCKET); false when there is none. */
  sdNotify(text: string): boolean;
  /** Until it is released or the process ends. Throws ALREADY_RUNNING with the number of who has it, IO. */
  lockFile(path: string, holder: string): { release(): void };
  /** Removes what a dead director has left in this network namespace, but for a restart. Throws ALREADY_RUNNING, IO. */
  removeLeftovers(): Promise<void>;
  /** `onEnded` is no reason for the process to live on. */
  readonly TcpProber: new (
    onEnded: (ends: readonly TcpProbeEnd[]) => void,
  ) => NativeTcpProber;
  /** The end of the process, which is under way, takes no longer: a thread that hangs in a file would hold it up. */
  exitWithin(patience_ms: number, code: number): void;
  readonly LineWriter: new (fd: number) => NativeLineWriter;
  /**
   * Takes signals that Node has no names for, until the process ends; the descriptor gives one byte a signal, its number.
   * Once in a process.
   */
  takeSignals(numbers: readonly number[]): number;
};

let loaded: NativeModule | undefined;

/** The addon. Throws NATIVE_MISSING when it has not been built for this machine. */
export function loadNative(): NativeModule {
  if (loaded !== undefined) return loaded;
  const path = '../../build/addon/Release/uvs.node';
  try {
    loaded = createRequire(import.meta.url)(path) as NativeModule;
  } catch (cause) {
    throw new DirectorError('NATIVE_MISSING', 'the native addon is not built: run `npm run build`', {
      cause,
    });
  }
  return loaded;
}

/** `error` as a DirectorError when native code gave it a code; else as it is. */
export function coded(error: unknown): unknown {
  if (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^[A-Z_]+$/.test(error.code)
  ) {
    return new DirectorError(error.code as ErrorCode, error.message, { cause: error });
  }
  return error;
}
