// Who has a path when two start over it, and what they may find there.

import { once } from 'node:events';
import { access, chmod, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bindControlSocket } from '../../../src/runtime/control-socket.js';

let folder: string;
let path: string;
const servers: Server[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'uvs-socket-'));
  path = join(folder, 'director.sock');
});

afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await rm(folder, { recursive: true });
});

/** Says its name to whoever connects. */
function server(name: string): Server {
  const made = createServer((socket) => socket.end(name));
  servers.push(made);
  return made;
}

async function nameAt(where: string): Promise<string> {
  const socket = connect(where);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  await once(socket, 'close');
  return text;
}

/** A socket that nobody answers on, as a killed director leaves it. */
async function leaveDeadSocket(): Promise<void> {
  const dead = createServer();
  dead.listen(`${path}.x`);
  await once(dead, 'listening');
  await rename(`${path}.x`, path);
  dead.close();
  await once(dead, 'close');
}

describe('two that start at the same moment over a dead one', () => {
  test.each([1, 2, 3, 4, 5])('one has the path, the other says so and takes nothing away (%i)', async () => {
    await leaveDeadSocket();
    const names = ['a', 'b', 'c', 'd'];
    const outcomes = await Promise.allSettled(names.map((name) => bindControlSocket(server(name), path)));
    const winners = names.filter((_, i) => outcomes[i]?.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    expect(await nameAt(path)).toBe(winners[0]);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ALREADY_RUNNING' });
    }
    expect((await readdir(folder)).sort()).toEqual(['director.sock', 'director.sock.lock']);
  });
});

test('the refusal names the holder and the way out', async () => {
  await bindControlSocket(server('a'), path);
  await expect(bindControlSocket(server('b'), path)).rejects.toThrow(
    `a director (pid ${process.pid}) has the lock ${path}.lock; stop it or give another --socket`,
  );
});

test('the path is free again when its holder lets go, and nothing is left', async () => {
  const remove = await bindControlSocket(server('a'), path);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await remove();
  expect(await readdir(folder)).toEqual([]);
  await bindControlSocket(server('b'), path);
  expect(await nameAt(path)).toBe('b');
});

test('one that answers without a lock is left alone', async () => {
  const other = server('other');
  other.listen(path);
  await once(other, 'listening');
  await expect(bindControlSocket(server('a'), path)).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
  expect(await nameAt(path)).toBe('other');
  await expect(access(`${path}.lock`)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('what is no socket is left alone', async () => {
  await writeFile(path, 'x');
  await chmod(path, 0o600);
  await expect(bindControlSocket(server('a'), path)).rejects.toMatchObject({ code: 'IO' });
  expect((await stat(path)).size).toBe(1);
});
