// TCP_CHECK: does the server accept a connection? Connects and closes; reads and writes nothing.

import { connect, type NetConnectOpts } from 'node:net';
import type { Connection } from '../../config/checkers/connection.js';
import type { TcpCheckPolicy } from '../../config/checkers/tcp-check.js';
import type { ProbeResult } from '../../health/checker.js';
import { messageOf } from '../message-of.js';
import type {
  NativeProbeEnd,
  NativeProber,
  NativeProbes,
  NativeTcpProbe,
  RunningProbe,
  StartProbe,
} from './probe.js';

/** By the addon, and by node:net where there is none. It is opened by the first probe. */
export function createTcpProbe(native: NativeProbes | undefined): StartProbe<TcpCheckPolicy> {
  if (native === undefined) return probeByNode;
  let start: StartProbe<TcpCheckPolicy> | undefined;
  return (policy, onResult) => {
    start ??= opened(native);
    return start(policy, onResult);
  };
}

function opened(native: NativeProbes): StartProbe<TcpCheckPolicy> {
  try {
    const probes = new AddonProbes(native);
    return (policy, onResult) => probes.start(policy, onResult);
  } catch {
    return probeByNode;
  }
}

function probeByNode({ question }: TcpCheckPolicy, onResult: (result: ProbeResult) => void): RunningProbe {
  const { connectAddress, connectPort, bindAddress, bindPort, bindDevice, fwmark } = question;
  if (bindDevice !== undefined || fwmark !== 0) return lacking(question, onResult);
  const options: NetConnectOpts = { host: connectAddress, port: connectPort };
  if (bindAddress !== undefined) options.localAddress = bindAddress;
  if (bindPort !== 0) options.localPort = bindPort;

  const socket = connect(options);
  const finish = () => {
    socket.removeAllListeners();
    // A destroyed socket may still report an error; nobody asked.
    socket.on('error', () => {});
    // With a fixed source port the pair would stay in TIME_WAIT and refuse the next probe: reset it instead.
    if (bindPort === 0) socket.destroy();
    else socket.resetAndDestroy();
  };
  socket.once('connect', () => {
    finish();
    onResult({ kind: 'passed' });
  });
  socket.once('error', (error: NodeJS.ErrnoException) => {
    finish();
    onResult(failure(error));
  });
  return { cancel: finish };
}

function lacking({ bindDevice }: Connection, onResult: (result: ProbeResult) => void): RunningProbe {
  const what = bindDevice === undefined ? 'fwmark' : 'bind_if';
  const reason = `a check with ${what} needs the addon, which is not loaded`;
  const immediate = setImmediate(() => onResult({ kind: 'failed', reason }));
  return { cancel: () => clearImmediate(immediate) };
}

/** Whatever is asked for within one turn goes to the addon in one call, and what ends together comes back in one. */
class AddonProbes {
  private readonly prober: NativeProber;
  private readonly running = new Map<number, (result: ProbeResult) => void>();
  private asked: NativeTcpProbe[] = [];
  private lastId = 0;

  constructor(native: NativeProbes) {
    this.prober = native.open((ends) => this.onEnded(ends));
  }

  start({ question, timeout }: TcpCheckPolicy, onResult: (result: ProbeResult) => void): RunningProbe {
    this.lastId += 1;
    const id = this.lastId;
    if (this.asked.length === 0) queueMicrotask(() => this.flush());
    this.asked.push({
      id,
      address: question.connectAddress,
      port: question.connectPort,
      bindAddress: question.bindAddress,
      bindPort: question.bindPort,
      bindDevice: question.bindDevice,
      fwmark: question.fwmark,
      timeout_ms: Math.ceil(timeout / 1_000),
    });
    this.running.set(id, onResult);
    return {
      cancel: () => {
        if (this.running.delete(id)) this.prober.cancel(id);
      },
    };
  }

  private flush(): void {
    const asked = this.asked.filter(({ id }) => this.running.has(id));
    this.asked = [];
    if (asked.length === 0) return;
    try {
      this.prober.probe(asked);
    } catch (error) {
      const reason = messageOf(error);
      for (const { id } of asked) this.report(id, { kind: 'unable', reason });
    }
  }

  private onEnded(ends: readonly NativeProbeEnd[]): void {
    for (const { id, error, code } of ends) {
      this.report(id, error === undefined ? { kind: 'passed' } : failure({ code, message: error }));
    }
  }

  private report(id: number, result: ProbeResult): void {
    const onResult = this.running.get(id);
    this.running.delete(id);
    onResult?.(result);
  }
}

/** What this machine lacks is not the server's fault. */
const ownFailures = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS']);

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ETIMEDOUT: 'connection timed out',
  EADDRNOTAVAIL: 'the address to bind to is not on this machine, or no port is left',
  EADDRINUSE: 'the port to bind to is in use',
  EACCES: 'not permitted to bind or connect',
};

function failure(error: { readonly code?: string | undefined; readonly message: string }): ProbeResult {
  const code = error.code ?? '';
  const reason = words[code] ?? error.message;
  return { kind: ownFailures.has(code) ? 'unable' : 'failed', reason };
}
