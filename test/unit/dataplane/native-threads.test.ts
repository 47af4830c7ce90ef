// The addon works on threads of its own. Node's are few, and what holds them (a name server that is silent, a pipe that
// nobody reads, a full disk) must not hold up a failover, which waits for a table to be in force.

import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, promises, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { IpAddress } from '../../../src/model/address.js';
import { emptyTable } from '../../../src/model/forwarding-table.js';
import { MemoryDirector } from '../../support/memory-director.js';
import { requires } from '../../support/require.js';

/** More than Node has threads. */
const openers = 16;

requires('addon').test('a table is published while all threads of Node are held', async () => {
  const director = new MemoryDirector({ a: '10.1.0.1' as IpAddress }, ['10.9.0.1' as IpAddress]);
  const folder = mkdtempSync(join(tmpdir(), 'uvs-threads-'));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  // Opening a pipe to write waits for its reader, on one of those threads.
  const opened = Array.from({ length: openers }, () => promises.open(pipe, constants.O_WRONLY));
  let reader: number | undefined;
  const release = () => {
    reader ??= openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  };
  const giveUp = setTimeout(release, 5_000);
  const order: string[] = [];
  for (const file of opened) void file.then(() => order.push('opened'));
  await director.publish(emptyTable).then(() => order.push('published'));
  release();
  clearTimeout(giveUp);
  for (const file of await Promise.all(opened)) await file.close();
  if (reader !== undefined) closeSync(reader);
  rmSync(folder, { recursive: true });
  expect(order[0]).toBe('published');
});
