// The bounds of the control server in time: a slow handler is waited for, a client that takes nothing is not.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, expect, test } from 'vitest';
import {
  closeHttpServer,
  createHttpServer,
  type HttpHandler,
  type HttpLimits,
} from '../../../src/runtime/http.js';

const folder = mkdtempSync(join(tmpdir(), 'uvs-http-'));
const path = join(folder, 'socket');
const stalled_ms = 20;
let server: Server;

async function listen(handler: HttpHandler, limits: Partial<HttpLimits> = {}): Promise<void> {
  const failed = { status: 500, contentType: 'text/plain', body: ['failed'] };
  server = createHttpServer(handler, () => failed, { stalled_ms, ...limits });
  server.listen(path);
  await once(server, 'listening');
}

afterEach(() => closeHttpServer(server));
afterAll(() => rmSync(folder, { recursive: true }));

test('a handler that takes longer than a client may stall is waited for', async () => {
  await listen(async () => {
    await pause(stalled_ms * 10);
    return { status: 200, contentType: 'text/plain', body: ['done'] };
  });
  const call = request({ socketPath: path, path: '/' }).end();
  const [answer] = await once(call, 'response');
  expect(answer.statusCode).toBe(200);
  const [text] = await once(answer.setEncoding('utf8'), 'data');
  expect(text).toBe('done');
});

test('a client that takes no byte of its answer is cut', async () => {
  await listen(async () => ({ status: 200, contentType: 'text/plain', body: endless() }));
  const client = connect(path).pause();
  client.on('error', () => {});
  client.write('GET / HTTP/1.1\r\nHost: director\r\n\r\n');
  const [, response] = await once(server, 'request');
  await once(response, 'close');
  client.destroy();
});

/** A client that never closes its half, whatever it is told. */
async function stubborn(words: string): Promise<Socket> {
  const client = connect({ path, allowHalfOpen: true });
  client.on('error', () => {});
  client.resume();
  await once(client, 'connect');
  client.write(words);
  return client;
}

const open = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
const done: HttpHandler = async () => ({ status: 200, contentType: 'text/plain', body: ['done'] });

test.each([
  ['nonsense', 'nonsense\r\n\r\n'],
  ['headers that never end', 'GET / HTTP/1.1\r\n'],
  ['nothing at all', ''],
  ['headers too large', `GET / HTTP/1.1\r\nX: ${'x'.repeat(9_000)}\r\n\r\n`],
  ['a body that never comes', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n'],
])('%s, from a client that never closes: its place is free again', async (_name, words) => {
  await listen(done, { headers_ms: 20, request_ms: 40, idle_ms: 20, refused_ms: 10 });
  const client = await stubborn(words);
  while ((await open()) > 0) await pause(5);
  client.destroy();
});

test('a slow reader does not hold its place for ever, though it takes a byte now and then', async () => {
  await listen(async () => ({ status: 200, contentType: 'text/plain', body: endless() }), {
    stalled_ms: 60_000,
    answer_ms: 30,
  });
  const client = await stubborn('GET / HTTP/1.1\r\nHost: director\r\n\r\n');
  while ((await open()) > 0) await pause(5);
  client.destroy();
});

test('where all places are taken the oldest makes room', async () => {
  await listen(done, { connections: 4 });
  const silent: Socket[] = [];
  for (let i = 0; i < 4; i++) silent.push(await stubborn(''));
  const gone = once(silent[0] as Socket, 'close');
  const [answer] = await once(request({ socketPath: path, path: '/' }).end(), 'response');
  expect(answer.statusCode).toBe(200);
  silent[0]?.end();
  await gone;
  for (const client of silent) client.destroy();
});

test('what a client asks ahead is answered one after another', async () => {
  let running = 0;
  let most = 0;
  await listen(async ({ url }) => {
    running += 1;
    most = Math.max(most, running);
    await pause(1);
    running -= 1;
    return { status: 200, contentType: 'text/plain', body: [`answer to ${url.pathname}`] };
  });
  const client = await stubborn(
    '/a /b /c '.replaceAll(/(\S+) /g, 'GET $1 HTTP/1.1\r\nHost: director\r\n\r\n'),
  );
  let heard = '';
  client.on('data', (bytes) => {
    heard += bytes;
  });
  while (!heard.includes('answer to /c')) await pause(5);
  expect(heard.match(/answer to \/\w/g)).toEqual(['answer to /a', 'answer to /b', 'answer to /c']);
  expect(most).toBe(1);
  client.destroy();
});

test('a client that asks on without taking its answers costs one answer, and is cut', async () => {
  let begun = 0;
  await listen(async () => {
    begun += 1;
    return { status: 200, contentType: 'text/plain', body: endless() };
  });
  const client = connect(path).pause();
  client.on('error', () => {});
  client.write('GET / HTTP/1.1\r\nHost: director\r\n\r\n'.repeat(1000));
  const [, response] = await once(server, 'request');
  await once(response, 'close');
  expect(begun).toBeLessThanOrEqual(1);
  client.destroy();
});

function* endless(): Generator<string> {
  for (;;) yield 'x'.repeat(65_536);
}
