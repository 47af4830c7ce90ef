// Who has a path when two start over it, and what they may find there.

import { once } from 'node:events';
import { access, chmod, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seconds } from '../../../src/model/units.js';
import { bindControlSocket, type Unbind } from '../../../src/runtime/control-socket.js';
import { waitFor } from '../../support/lab/wait.js';
import { ManualClock } from '../../support/manual-clock.js';

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
  const made = createServer((socket) => {
    // Whoever only asks whether somebody answers is gone before it has heard.
    socket.on('error', () => {});
    socket.end(name);
  });
  servers.push(made);
  return made;
}

/** As a director binds, on a clock that stands. */
function bind(
  by: Server,
  clock = new ManualClock(),
  onWait: (reason: string) => void = () => {},
  onRemoved: (outcome: string) => void = () => {},
): Promise<Unbind> {
  return bindControlSocket(by, path, clock, { onWait, onRemoved });
}

/** Time passes until `work` has come to its end. */
async function passUntil<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  work.then(end, end);
  while (!isOver) await clock.advance(seconds(0.05));
  return work;
}

/** Refused after all the patience that there is. */
function refusal(by: Server): Promise<unknown> {
  const clock = new ManualClock();
  const refused = bind(by, clock).then(
    () => undefined,
    (error: unknown) => error,
  );
  return passUntil(clock, refused);
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
    const clock = new ManualClock();
    const attempts = Promise.allSettled(names.map((name) => bind(server(name), clock)));
    const outcomes = await passUntil(clock, attempts);
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
  await bind(server('a'));
  expect(await refusal(server('b'))).toMatchObject({
    code: 'ALREADY_RUNNING',
    message: `a director (pid ${process.pid}) has the lock ${path}.lock; stop it or give another --socket`,
  });
});

test('one that starts beside one that is about to end waits, says so once, and has the path then', async () => {
  const clock = new ManualClock();
  const unbind = await bind(server('a'));
  const reasons: string[] = [];
  const waiting = bind(server('b'), clock, (reason) => reasons.push(reason));
  while (reasons.length === 0) await clock.advance(seconds(0));
  await clock.advance(seconds(4));
  expect(reasons).toEqual([expect.stringContaining('has the lock')]);
  await unbind();
  await passUntil(clock, waiting);
  expect(await nameAt(path)).toBe('b');
});

test('the path is free again when its holder lets go, and nothing is left', async () => {
  const remove = await bind(server('a'));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await remove();
  expect(await readdir(folder)).toEqual([]);
  await bind(server('b'));
  expect(await nameAt(path)).toBe('b');
});

test('one that answers without a lock is left alone', async () => {
  const other = server('other');
  other.listen(path);
  await once(other, 'listening');
  expect(await refusal(server('a'))).toMatchObject({ code: 'ALREADY_RUNNING' });
  expect(await nameAt(path)).toBe('other');
  await expect(access(`${path}.lock`)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('what is no socket is left alone', async () => {
  await writeFile(path, 'x');
  await chmod(path, 0o600);
  await expect(bind(server('a'))).rejects.toMatchObject({ code: 'IO' });
  expect((await stat(path)).size).toBe(1);
});

describe('somebody removes it', () => {
  test.each([
    ['the file', () => rm(path)],
    ['its folder', () => rm(folder, { recursive: true })],
  ])('%s: it is made anew, told, and goes at the end', async (_, remove) => {
    const outcomes: string[] = [];
    const clock = new ManualClock();
    const unbind = await bind(server('one'), clock, undefined, (outcome) => outcomes.push(outcome));
    for (let count = 1; count <= 2; count++) {
      await remove();
      await waitFor('it to be there again', async () => outcomes.length === count);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(await nameAt(path)).toBe('one');
      await clock.advance(seconds(1));
    }
    expect(outcomes).toEqual(['made anew', 'made anew']);
    await unbind();
    await expect(access(path)).rejects.toThrow('ENOENT');
  });

  test('where another has been put it is left alone', async () => {
    const outcomes: string[] = [];
    const unbind = await bind(server('one'), undefined, undefined, (outcome) => outcomes.push(outcome));
    const other = join(folder, 'other.sock');
    const two = server('two').listen(other);
    await once(two, 'listening');
    await rename(other, path);
    expect(await nameAt(path)).toBe('two');
    await unbind();
    expect(await nameAt(path)).toBe('two');
    expect(outcomes).toEqual([]);
  });
});
