// The control API over a real socket: every route, every kind of error, and clients that mean harm.

import { once } from 'node:events';
import { existsSync, linkSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MemoryDataplane } from '../../../src/dataplane/memory.js';
import type { IpAddress } from '../../../src/model/address.js';
import { seconds } from '../../../src/model/units.js';
import { createAdminClient } from '../../../src/runtime/admin-client.js';
import { createDirector } from '../../../src/runtime/create-director.js';
import type { Director } from '../../../src/runtime/director.js';
import { httpLimits } from '../../../src/runtime/http.js';
import { FakeProbes } from '../../support/fake-probes.js';
import { ManualClock } from '../../support/manual-clock.js';

const folder = mkdtempSync(join(tmpdir(), 'uvs-api-'));
const socketPath = join(folder, 'director.sock');
const configFile = join(folder, 'director.conf');
const good = `
virtual_server 10.0.0.1 80 {
  lvs_sched wlc
  lvs_method NAT
  protocol TCP
  real_server 10.1.0.1 80 {
    weight 3
    TCP_CHECK {
      connect_timeout 1
    }
  }
  real_server 10.1.0.2 80 {
    weight 1
  }
}
`;
const dataplane = new MemoryDataplane();
const web = { kind: 'endpoint', protocol: 'tcp', address: '10.0.0.1' as IpAddress, port: 80 } as const;
const firstServer = { address: '10.1.0.1' as IpAddress, port: 80 };
let director: Director;

beforeAll(async () => {
  writeFileSync(configFile, good);
  director = createDirector(
    { configFile },
    { dataplane, socket: socketPath, probes: new FakeProbes().probes },
  );
  await director.start();
});

afterEach(async () => {
  writeFileSync(configFile, good);
  await director.reload();
});

afterAll(async () => {
  await director.stop();
  expect(existsSync(socketPath)).toBe(false);
  rmSync(folder, { recursive: true });
});

type Answer = { status: number; body: never; headers: Record<string, unknown> };

function ask(method: string, path: string, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => {
        const isJson = response.headers['content-type'] === 'application/json';
        const value = (isJson ? JSON.parse(text) : text) as never;
        resolve({ status: response.statusCode ?? 0, body: value, headers: response.headers });
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

async function open(): Promise<Socket> {
  const socket = connect(socketPath);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

describe('routes', () => {
  test('status', async () => {
    const { status, body } = await ask('GET', '/v1/status');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      source: configFile,
      generation: expect.any(Number),
      isCurrent: true,
      services: { total: 1, up: 1, down: 0, draining: 0 },
      servers: { total: 2, live: 1, unchecked: 1 },
      leftOut: [],
      checkerCount: 1,
      missingAddresses: ['10.0.0.1'],
      timeouts: { tcp_s: 900, tcpFin_s: 120, udp_s: 300 },
      dataplane: { tableSize: 4096, verdicts: { forward: '0' } },
    });
  });

  test('services, with counters beyond 2^53 intact', async () => {
    dataplane.addTraffic(web, firstServer, { inBytes: 2n ** 60n + 1n });
    const { body } = await ask('GET', '/v1/services');
    expect(body).toMatchObject({
      services: [
        {
          id: web,
          scheduler: 'wlc',
          isUp: true,
          traffic: { inBytes: '1152921504606846977' },
          destinations: [{ address: '10.1.0.2' }, { address: '10.1.0.1', weight: 3, active: 0 }],
          servers: [
            { address: '10.1.0.1', isLive: true, isInTable: true, checkers: [{ kind: 'tcp', isUp: true }] },
            {},
          ],
        },
      ],
    });
  });

  test('connections by pages', async () => {
    const record = (port: number) => ({
      protocol: 'tcp' as const,
      client: { address: '10.9.0.1' as IpAddress, port },
      virtual: { address: web.address, port: 80 },
      destination: firstServer,
      state: 'ESTABLISHED',
      expires_ms: 1_000,
    });
    dataplane.setConnections(Array.from({ length: 5 }, (_, i) => record(i + 1)));
    const { body: first } = await ask('GET', '/v1/connections?limit=3');
    expect(first).toMatchObject({ connections: [{}, {}, {}], next: 3 });
    const { body: second } = await ask('GET', '/v1/connections?limit=3&after=3');
    expect(second).toEqual({ connections: [record(4), record(5)] });
    dataplane.setConnections([]);
  });

  test.each(['limit=0', 'limit=10001', 'limit=x', 'after=-1', 'limit=1e3'])(
    'connections?%s',
    async (query) => {
      expect(await ask('GET', `/v1/connections?${query}`)).toMatchObject({
        status: 400,
        body: { error: { code: 'BAD_PARAMETER' } },
      });
    },
  );

  test('stats', async () => {
    const { body } = await ask('GET', '/v1/stats');
    expect(body).toMatchObject({
      verdicts: { drop: '0' },
      drops: [],
      passes: [],
      services: [{ id: web, destinations: [{}, {}] }],
    });
  });

  test('config: as text that means the same, and as a value', async () => {
    const { body } = await ask('GET', '/v1/config');
    const { text } = body as { text: string };
    expect(body).toMatchObject({ source: configFile, config: { virtualServers: [{ scheduler: 'wlc' }] } });
    expect(text).toContain('virtual_server 10.0.0.1 80 {');
    expect((await director.reload({ configText: text })).changes).toEqual([]);
    await director.reload({ configFile });
  });

  test('reload', async () => {
    writeFileSync(configFile, good.replace('weight 3', 'weight 7'));
    expect(await ask('POST', '/v1/reload')).toMatchObject({
      status: 200,
      body: { changes: ['service tcp 10.0.0.1:80: server 10.1.0.1:80: weight 3 → 7'], diagnostics: [] },
    });
  });

  test('reload of a bad file: the first error with its place, and all of them', async () => {
    writeFileSync(
      configFile,
      good.replace('lvs_sched wlc', 'lvs_shed wlc').replace('weight 1', 'weight many'),
    );
    expect(await ask('POST', '/v1/reload')).toMatchObject({
      status: 422,
      body: {
        error: { code: 'CONFIG_INVALID', file: configFile, line: 3, column: 3, message: expect.any(String) },
        diagnostics: [
          { severity: 'error', line: 3 },
          { severity: 'error', line: 13 },
        ],
      },
    });
    expect(director.config().virtualServers[0]?.scheduler).toBe('wlc');
  });

  test('reload of a file that is gone', async () => {
    rmSync(configFile);
    expect(await ask('POST', '/v1/reload')).toMatchObject({
      status: 422,
      body: { error: { code: 'CONFIG_UNREADABLE' } },
    });
  });

  test('changes', async () => {
    const changes = [{ kind: 'update-server', service: web, server: firstServer, set: { weight: 0 } }];
    const { status, body } = await ask('POST', '/v1/changes', JSON.stringify(changes));
    expect([status, body]).toMatchObject([200, { changes: [expect.stringContaining('weight 3 → 0')] }]);
    expect(dataplane.current.services[0]?.destinations[1]?.weight).toBe(0);
  });

  test('metrics', async () => {
    const { status, body, headers } = await ask('GET', '/metrics');
    expect(status).toBe(200);
    expect(headers['content-type']).toContain('version=0.0.4');
    const lines = (body as string).trimEnd().split('\n');
    expect(lines).toContain('uvs_service_up{protocol="tcp",address="10.0.0.1",port="80"} 1');
    // Every line is a comment or a sample, every family is announced once, before its samples.
    const announced = new Set<string>();
    for (const line of lines) {
      const type = /^# TYPE (\S+) (?:gauge|counter)$/.exec(line)?.[1];
      if (type !== undefined) {
        expect(announced.has(type)).toBe(false);
        announced.add(type);
      } else if (!line.startsWith('# HELP ')) {
        const name = /^([a-z_]+)(?:\{(?:[a-z_]+="[^"\n]*",?)*\})? -?[\d.e+-]+$/.exec(line)?.[1];
        expect(announced).toContain(name);
      }
    }
  });
});

describe('errors', () => {
  test.each([
    ['GET', '/', undefined, 404, 'NOT_FOUND'],
    ['GET', '/v2/status', undefined, 404, 'NOT_FOUND'],
    ['GET', '/v1/constructor', undefined, 404, 'NOT_FOUND'],
    ['GET', '//[', undefined, 404, 'NOT_FOUND'],
    ['DELETE', '/v1/status', undefined, 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/v1/reload', undefined, 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/v1/changes', '{"kind":', 400, 'BAD_JSON'],
    ['POST', '/v1/changes', '', 400, 'BAD_JSON'],
    ['POST', '/v1/changes', '"x"', 400, 'INVALID_CHANGE'],
    ['POST', '/v1/changes', '[{"kind":"__proto__"}]', 400, 'INVALID_CHANGE'],
    ['POST', '/v1/changes', '['.repeat(100_000), 400, 'BAD_JSON'],
  ])('%s %s %j: %i %s', async (method, path, body, status, code) => {
    expect(await ask(method, path, body)).toMatchObject({
      status,
      body: { error: { code, message: expect.any(String) } },
    });
  });

  test('nobody on the socket', async () => {
    const client = createAdminClient(join(folder, 'nobody.sock'));
    await expect(client.get('/v1/status')).rejects.toMatchObject({ code: 'NO_DIRECTOR' });
  });
});

describe('hostile clients', () => {
  test('a huge body is cut', async () => {
    const socket = await open();
    let answer = '';
    socket.on('data', (piece) => {
      answer += piece;
    });
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.write(`POST /v1/changes HTTP/1.1\r\nHost: x\r\nContent-Length: ${10 ** 12}\r\n\r\n`);
    const piece = Buffer.alloc(1_048_576, 0x20);
    let sent_bytes = 0;
    while (!socket.destroyed && sent_bytes < 64 * piece.length) {
      sent_bytes += piece.length;
      await new Promise((resolve) => socket.write(piece, resolve));
    }
    await closed;
    expect(sent_bytes).toBeLessThan(4 * httpLimits.body_bytes);
    // The answer may be lost with the connection.
    if (answer !== '') expect(answer).toMatch(/^HTTP\/1.1 413 /);
  });

  test.each([
    ['garbage', '\0\xff\x16\x03 hello\r\n\r\n'],
    ['headers without end', `GET /v1/status HTTP/1.1\r\n${'X: y\r\n'.repeat(5_000)}`],
    [
      'two lengths',
      'POST /v1/changes HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    ],
  ])('%s: an error, and the end', async (_name, bytes) => {
    const socket = await open();
    let answer = '';
    socket.on('data', (piece) => {
      answer += piece;
    });
    socket.write(bytes, 'latin1');
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1.1 4\d\d /);
  });

  test('silent ones take no place from others, and end with the director', async () => {
    const silent = await Promise.all(Array.from({ length: 50 }, open));
    silent.forEach((socket, i) => {
      socket.write('GET /v1/status HTTP/1.1\r\n'.slice(0, i));
    });
    expect((await ask('GET', '/v1/status')).status).toBe(200);
    for (const socket of silent) socket.destroy();
  });
});

describe('the socket', () => {
  const other = (path: string, more: object = {}) =>
    createDirector({ configText: good }, { dataplane: new MemoryDataplane(), socket: path, ...more });

  test('is for its owner alone', () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  });

  test("a living director's is never touched", async () => {
    const clock = new ManualClock();
    let refusal: unknown;
    other(socketPath, { clock })
      .start()
      .catch((error: unknown) => {
        refusal = error;
      });
    while (refusal === undefined) await clock.advance(seconds(0.1));
    expect(refusal).toMatchObject({ code: 'ALREADY_RUNNING' });
    expect((await ask('GET', '/v1/status')).status).toBe(200);
  });

  test("a dead director's is replaced", async () => {
    const path = join(folder, 'stale.sock');
    const server = createServer().listen(path);
    await once(server, 'listening');
    // As after a kill: the file stays, and nobody listens.
    linkSync(path, `${path}.kept`);
    await new Promise((resolve) => server.close(resolve));
    renameSync(`${path}.kept`, path);
    const inode = statSync(path).ino;
    const second = other(path);
    await second.start();
    expect(statSync(path).ino).not.toBe(inode);
    await second.stop();
    expect(existsSync(path)).toBe(false);
  });

  test('what is no socket is never replaced', async () => {
    await expect(other(configFile).start()).rejects.toMatchObject({ code: 'IO' });
    expect(existsSync(configFile)).toBe(true);
  });

  test('a folder that is missing is made', async () => {
    const path = join(folder, 'run', 'uvs', 'director.sock');
    const second = other(path);
    await second.start();
    expect(existsSync(path)).toBe(true);
    await second.stop();
  });
});

test('metrics over TCP: only that', async () => {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as { port: number };
  await new Promise((resolve) => free.close(resolve));
  const text = `director { \n metrics 127.0.0.1:${port} \n }\n${good}`;
  const second = createDirector({ configText: text }, { dataplane: new MemoryDataplane() });
  await second.start();
  const base = `http://127.0.0.1:${port}`;
  expect(await (await fetch(`${base}/metrics`)).text()).toContain('uvs_generation 1\n');
  expect((await fetch(`${base}/v1/status`)).status).toBe(404);
  expect((await fetch(`${base}/metrics`, { method: 'POST' })).status).toBe(405);
  await second.stop();
  await expect(fetch(`${base}/metrics`)).rejects.toThrow();
});
