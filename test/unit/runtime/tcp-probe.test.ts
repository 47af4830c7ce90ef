// The TCP probe against real sockets on loopback: a server may do what it likes, only the result counts.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { ProbeResult } from '../../../src/health/checker.js';
import type { IpAddress } from '../../../src/model/address.js';
import type { TcpCheckPolicy } from '../../../src/model/director-config.js';
import { seconds } from '../../../src/model/units.js';
import { createProbes } from '../../../src/runtime/probes/create-probes.js';
import type { NativeTcpProbe } from '../../../src/runtime/probes/probe.js';

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

function policyFor(connectPort: number, fields: Partial<TcpCheckPolicy> = {}): TcpCheckPolicy {
  return {
    kind: 'tcp',
    connectAddress: '127.0.0.1' as IpAddress,
    connectPort,
    bindAddress: undefined,
    bindPort: 0,
    bindDevice: undefined,
    connectTimeout: seconds(5),
    fwmark: 0,
    delayLoop: seconds(1),
    retries: 0,
    delayBeforeRetry: seconds(1),
    warmup: seconds(0),
    alpha: false,
    logAllFailures: false,
    ...fields,
  };
}

function probe(policy: TcpCheckPolicy, probes = createProbes()): Promise<ProbeResult> {
  return new Promise((resolve) => probes.tcp(policy, resolve));
}

describe('by node', () => {
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
    expect(new Set(seen)).toEqual(new Set([`127.0.0.9 ${free}`]));
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
      createProbes()
        .tcp(policyFor(port), (result) => results.push(result))
        .cancel();
      createProbes().tcp(policyFor(port), () => {});
    }
    await arrived;
    expect(results).toEqual([]);
  });
});

describe('by the addon', () => {
  const marked = policyFor(80, { fwmark: 7, bindDevice: 'eth0' });

  test('what Node cannot do is handed over', async () => {
    const asked: NativeTcpProbe[] = [];
    const probes = createProbes({
      probeTcp: async (options) => {
        asked.push(options);
        return 'connection refused';
      },
    });
    expect(await probe(marked, probes)).toEqual({ kind: 'failed', reason: 'connection refused' });
    expect(asked).toMatchObject([
      { address: '127.0.0.1', port: 80, fwmark: 7, bindDevice: 'eth0', timeout_ms: 5_000 },
    ]);
  });

  test('without it the check fails, and says why', async () => {
    expect(await probe(marked)).toEqual({
      kind: 'failed',
      reason: 'a check with bind_if needs the addon, which is not loaded',
    });
  });
});
