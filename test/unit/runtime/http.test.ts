// The bounds of the control server in time: a slow handler is waited for, a client that takes nothing is not.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, expect, test } from 'vitest';
import { closeHttpServer, createHttpServer, type HttpHandler } from '../../../src/runtime/http.js';

const folder = mkdtempSync(join(tmpdir(), 'uvs-http-'));
const path = join(folder, 'socket');
const stalled_ms = 20;
let server: Server;

async function listen(handler: HttpHandler): Promise<void> {
  const failed = { status: 500, contentType: 'text/plain', body: ['failed'] };
  server = createHttpServer(handler, () => failed, stalled_ms);
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

function* endless(): Generator<string> {
  for (;;) yield 'x'.repeat(65_536);
}
