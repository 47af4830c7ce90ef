// TCP_CHECK: does the server accept a connection? Connects and closes; reads and writes nothing.

import { connect, type NetConnectOpts } from 'node:net';
import type { ProbeResult } from '../../health/checker.js';
import type { TcpCheckPolicy } from '../../model/director-config.js';
import type { NativeProbes, RunningProbe, StartProbe } from './probe.js';

/** A probe by node:net, or by the addon where the policy asks for a device or a firewall mark. */
export function createTcpProbe(native: NativeProbes | undefined): StartProbe<TcpCheckPolicy> {
  return (policy, onResult) =>
    policy.bindDevice === undefined && policy.fwmark === 0
      ? probeByNode(policy, onResult)
      : probeByAddon(native, policy, onResult);
}

function probeByNode(policy: TcpCheckPolicy, onResult: (result: ProbeResult) => void): RunningProbe {
  const options: NetConnectOpts = { host: policy.connectAddress, port: policy.connectPort };
  if (policy.bindAddress !== undefined) options.localAddress = policy.bindAddress;
  if (policy.bindPort !== 0) options.localPort = policy.bindPort;

  const socket = connect(options);
  const finish = () => {
    socket.removeAllListeners();
    // A destroyed socket may still report an error; nobody asked.
    socket.on('error', () => {});
    // With a fixed source port the pair would stay in TIME_WAIT and refuse the next probe: reset it instead.
    if (policy.bindPort === 0) socket.destroy();
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

function probeByAddon(
  native: NativeProbes | undefined,
  policy: TcpCheckPolicy,
  onResult: (result: ProbeResult) => void,
): RunningProbe {
  let isCancelled = false;
  const report = (result: ProbeResult) => {
    if (!isCancelled) onResult(result);
  };
  probeNatively(native, policy).then(report, (error: unknown) =>
    report(failure(error as NodeJS.ErrnoException)),
  );
  return {
    cancel: () => {
      isCancelled = true;
    },
  };
}

async function probeNatively(native: NativeProbes | undefined, policy: TcpCheckPolicy): Promise<ProbeResult> {
  if (native === undefined) {
    const what = policy.bindDevice === undefined ? 'fwmark' : 'bind_if';
    return { kind: 'failed', reason: `a check with ${what} needs the addon, which is not loaded` };
  }
  const reason = await native.probeTcp({
    address: policy.connectAddress,
    port: policy.connectPort,
    bindAddress: policy.bindAddress,
    bindPort: policy.bindPort,
    bindDevice: policy.bindDevice,
    fwmark: policy.fwmark,
    timeout_ms: Math.ceil(policy.connectTimeout / 1_000),
  });
  return reason === undefined ? { kind: 'passed' } : { kind: 'failed', reason };
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

function failure(error: NodeJS.ErrnoException): ProbeResult {
  const code = error.code ?? '';
  const reason = words[code] ?? error.message;
  return { kind: ownFailures.has(code) ? 'unable' : 'failed', reason };
}
