// The pid file: written in one piece, never through a link, removed only while it is ours, and no reason to fail.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { pidFileOf, writePidFile } from '../../../src/cli/pid-file.js';
import { RecordingLog } from '../../support/recording-log.js';

const folder = mkdtempSync(join(tmpdir(), 'uvs-pid-'));
const path = join(folder, 'director.pid');
afterAll(() => rmSync(folder, { recursive: true }));

test('it stands beside the socket', () => {
  expect([pidFileOf('/run/uvs/director.sock'), pidFileOf('/run/x')]).toEqual([
    '/run/uvs/director.pid',
    '/run/x.pid',
  ]);
});

test('an old one is replaced, a link is not followed, and ours is removed', () => {
  const other = join(folder, 'precious');
  writeFileSync(other, 'precious');
  symlinkSync(other, path);
  const log = new RecordingLog();
  const remove = writePidFile(path, log);
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
  expect([lstatSync(path).isSymbolicLink(), readFileSync(other, 'utf8')]).toEqual([false, 'precious']);
  remove();
  expect(readdirSync(folder)).toEqual(['precious']);
  expect(log.take()).toEqual([]);
});

test("another director's is left alone", () => {
  const remove = writePidFile(path, new RecordingLog());
  writeFileSync(path, '1\n');
  remove();
  expect(readFileSync(path, 'utf8')).toBe('1\n');
});

test("a director that lives keeps its file; that of a process which is gone, or isn't one, is replaced", () => {
  writeFileSync(path, '4711\n');
  const log = new RecordingLog();
  const remove = writePidFile(path, log, (pid) => (pid === 4711 ? 'director' : ''));
  expect(log.take()).toEqual([
    expect.stringMatching(/^warn the pid file .* is that of another director.*4711/),
  ]);
  remove();
  expect(readFileSync(path, 'utf8')).toBe('4711\n');
  writePidFile(path, log, () => 'bash')();
  expect([existsSync(path), log.take()]).toEqual([false, []]);
});

test('where none can be written, that is said and nothing else happens', () => {
  const log = new RecordingLog();
  writePidFile(join(folder, 'none', 'director.pid'), log)();
  expect(log.take()).toEqual([
    expect.stringMatching(/^warn there is no pid file .*=no such file or directory/),
  ]);
});

test('what is no file stays, also behind a link', () => {
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const link = join(folder, 'link');
  symlinkSync(fifo, link);
  const log = new RecordingLog();
  for (const place of [fifo, link]) writePidFile(place, log)();
  expect([lstatSync(fifo).isFIFO(), lstatSync(link).isSymbolicLink()]).toEqual([true, true]);
  const said = expect.stringMatching(/it is a FIFO, and only regular files are replaced/);
  expect(log.take()).toEqual([said, said]);
});
