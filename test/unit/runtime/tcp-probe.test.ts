// The TCP probe against real sockets on loopback: a server may do what it likes, only the result counts.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Connection } from '../../../src/config/checkers/connection.js';
import type { TcpCheckPolicy } from '../../../src/config/checkers/tcp-check.js';
import { loadNative } from '../../../src/dataplane/native-module.js';
import type { ProbeResult } from '../../../src/health/checker.js';
import type { IpAddress } from '../../../src/model/address.js';
import { seconds } from '../../../src/model/units.js';
import { createProbes } from '../../../src/runtime/probes/create-probes.js';
import type { NativeProbeEnd, NativeTcpProbe } from '../../../src/runtime/probes/probe.js';

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    onConnection(socket);
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function policyFor(
  connectPort: number,
  fields: Partial<Connection> = {},
  timeout = seconds(5),
): TcpCheckPolicy {
  return {
    kind: 'tcp',
    question: {
      connectAddress: '127.0.0.1' as IpAddress,
      connectPort,
      bindAddress: undefined,
      bindPort: 0,
      bindDevice: undefined,
      fwmark: 0,
      ...fields,
    },
    timeout,
    delayLoop: seconds(1),
    retries: 0,
    delayBeforeRetry: seconds(1),
    warmup: seconds(0),
    alpha: false,
    logAllFailures: false,
  };
}

function probeWith(policy: TcpCheckPolicy, probes = createProbes()): Promise<ProbeResult> {
  return new Promise((resolve) => probes.tcp(policy, resolve));
}

const addon = {
  open: (onEnded: (ends: readonly NativeProbeEnd[]) => void) => new (loadNative().TcpProber)(onEnded),
};

describe.each([
  ['node', undefined],
  ['the addon', addon],
])('on sockets, by %s', (_by, native) => {
  const probe = (policy: TcpCheckPolicy) => probeWith(policy, createProbes(native));
  test.each([
    ['says nothing', (_socket: Socket) => {}],
    ['sends garbage', (socket: Socket) => socket.write(Buffer.alloc(100_000, 0xff))],
    ['closes at once', (socket: Socket) => socket.end()],
  ])('a server that %s passes', async (_name, behave) => {
    expect(await probe(policyFor(await listen(behave)))).toEqual({ kind: 'passed' });
  });

  test('a server that resets at once passes or fails, as the reset comes late or early', async () => {
    const result = await probe(policyFor(await listen((socket) => socket.resetAndDestroy())));
    expect([{ kind: 'passed' }, { kind: 'failed', reason: 'connection reset' }]).toContainEqual(result);
  });

  test('a refused connection fails with the reason', async () => {
    const port = await listen(() => {});
    await new Promise((resolve) => servers.pop()?.close(resolve));
    expect(await probe(policyFor(port))).toEqual({ kind: 'failed', reason: 'connection refused' });
  });

  test('it comes from the address and port asked for, again and again', async () => {
    const seen: string[] = [];
    const port = await listen((socket) => seen.push(`${socket.remoteAddress} ${socket.remotePort}`));
    const free = await listen(() => {});
    await new Promise((resolve) => servers.pop()?.close(resolve));
    const policy = policyFor(port, { bindAddress: '127.0.0.9' as IpAddress, bindPort: free });
    for (let i = 0; i < 3; i++) expect(await probe(policy)).toEqual({ kind: 'passed' });
    // A probe has passed when the kernel has answered it, which may be before the server has accepted.
    await vi.waitFor(() => expect(seen).toHaveLength(3));
    // Of one that is reset before it is accepted the server knows nothing more.
    const known = seen.filter((one) => one !== 'undefined undefined');
    for (const one of known) expect(one).toBe(`127.0.0.9 ${free}`);
  });

  test('an address that is not on this machine fails in words', async () => {
    const port = await listen(() => {});
    const policy = policyFor(port, { bindAddress: '203.0.113.7' as IpAddress });
    expect(await probe(policy)).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('not on this machine'),
    });
  });

  test('a cancelled probe says nothing', async () => {
    const arrived = new Promise((resolve) => void listen(resolve).then((port) => start(port)));
    const results: ProbeResult[] = [];
    function start(port: number): void {
      const probes = createProbes(native);
      probes.tcp(policyFor(port), (result) => results.push(result)).cancel();
      probes.tcp(policyFor(port), () => {});
    }
    await arrived;
    expect(results).toEqual([]);
  });
});

describe('by the addon', () => {
  const marked = policyFor(80, { fwmark: 7, bindDevice: 'eth0' });

  test('what is asked for in one turn is one call, and what is cancelled is not heard of', async () => {
    const asked: (readonly NativeTcpProbe[])[] = [];
    const cancelled: number[] = [];
    let end: (ends: readonly NativeProbeEnd[]) => void = () => {};
    const probes = createProbes({
      open: (onEnded) => {
        end = onEnded;
        return { probe: (list) => asked.push(list), cancel: (id) => cancelled.push(id) };
      },
    });
    const results: ProbeResult[] = [];
    const take = (result: ProbeResult) => results.push(result);
    const [, , dropped] = [marked, policyFor(81), policyFor(82), policyFor(83)].map((policy) =>
      probes.tcp(policy, take),
    );
    await Promise.resolve();
    dropped?.cancel();
    expect(asked).toMatchObject([
      [
        { address: '127.0.0.1', port: 80, fwmark: 7, bindDevice: 'eth0', timeout_ms: 5_000 },
        { port: 81 },
        { port: 82 },
        { port: 83 },
      ],
    ]);
    const ids = asked.flat().map(({ id }) => id);
    expect(cancelled).toEqual(ids.slice(2, 3));
    const [first = 0, second = 0, third = 0, fourth = 0] = ids;
    const refused = { error: 'Connection refused', code: 'ECONNREFUSED' };
    end([{ id: first }, { id: third }, { id: second, ...refused }]);
    end([{ id: fourth, error: 'cannot open a socket', code: 'EMFILE' }, { id: first }]);
    expect(results).toEqual([
      { kind: 'passed' },
      { kind: 'failed', reason: 'connection refused' },
      { kind: 'unable', reason: 'cannot open a socket' },
    ]);
  });

  test('without it the check fails, and says why', async () => {
    expect(await probeWith(marked)).toEqual({
      kind: 'failed',
      reason: 'a check with bind_if needs the addon, which is not loaded',
    });
  });
});
