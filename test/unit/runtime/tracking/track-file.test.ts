// Tracked files: what counts as a number, and whatever may happen to a file. Real files; the clock is turned by hand.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TrackFile } from '../../../../src/model/failover-config.js';
import { seconds } from '../../../../src/model/units.js';
import { initializeFile, leadingNumber } from '../../../../src/runtime/tracking/track-file.js';
import { Trackers } from '../../../../src/runtime/tracking/trackers.js';
import { FakeScriptRunner, noPolicy } from '../../../support/fake-script-runner.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { RecordingLog } from '../../../support/recording-log.js';

// What keepalived 2.2.7 made of these, read off the priority that followed; it ignores what has more than 32 bits.
test.each([
  ['5\n', 5],
  ['6abc', 6],
  [' 7 \n', 7],
  ['-8\n', -8],
  ['0x10\n', 16],
  ['010\n', 8],
  ['+9', 9],
  ['3 4\n', 3],
  ['\n\n2\n', 2],
  ['1.5', 1],
  ['08', 0],
  ['-0', 0],
  ['99999999999', 2147483647],
  ['-99999999999', -2147483647],
  ['', undefined],
  ['abc', undefined],
  ['-', undefined],
  ['--1', undefined],
])('%j is %s', (text, expected) => {
  expect(leadingNumber(text)).toBe(expected);
});

describe('a followed file', () => {
  let folder: string;
  let path: string;
  let clock: ManualClock;
  let log: RecordingLog;
  let values: (number | undefined)[];
  let trackers: Trackers;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'uvs-track-'));
    path = join(folder, 'load');
    clock = new ManualClock();
    log = new RecordingLog();
    values = [];
    const parts = { clock, log, runner: new FakeScriptRunner() };
    trackers = new Trackers(parts, () => values.push(trackers.files.get('load')));
  });

  afterEach(() => {
    trackers.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const file = (changes: Partial<TrackFile> = {}): TrackFile => ({
    name: 'load',
    path,
    weight: 1,
    isReversed: false,
    initial: undefined,
    overwrites: false,
    ...changes,
  });
  const follow = (changes: Partial<TrackFile> = {}) => trackers.configure([], [file(changes)], noPolicy);
  const seen = (value: number) =>
    vi.waitFor(() => expect(trackers.files.get('load')).toBe(value), { timeout: 10_000 });
  /** The file has a new number and the followers' clock stands: only a notice from the kernel can tell. */
  async function write(text: string, value: number): Promise<void> {
    writeFileSync(path, text);
    await seen(value);
  }
  /** Without a number: believed when it has lasted. */
  async function doubted(value: number): Promise<void> {
    await vi.waitFor(
      async () => {
        await clock.advance(seconds(0.2));
        expect(trackers.files.get('load')).toBe(value);
      },
      { timeout: 10_000 },
    );
  }

  test('its number is known at once, and every change follows; equal numbers are no change', async () => {
    writeFileSync(path, '5\n');
    follow();
    expect(trackers.files).toEqual(new Map([['load', 5]]));
    await write('6', 6);
    await write('6 again', 6);
    await write('-7', -7);
    expect(values).toEqual([6, -7]);
    expect(log.take()).toEqual(['info file load says 6', 'info file load says -7']);
  });

  test('a file that is written in two steps is not 0 in between', async () => {
    writeFileSync(path, '5');
    follow();
    writeFileSync(path, '');
    await vi.waitFor(() => expect(clock.alarmCount).toBe(2), { timeout: 10_000 });
    await write('9', 9);
    await clock.advance(seconds(1));
    expect(values).toEqual([9]);
  });

  test('missing, empty and garbage count as 0, and the status says why', async () => {
    follow();
    const status = () => trackers.status.files[0];
    expect(status()).toEqual({ name: 'load', path, value: 0, problem: 'no such file or directory' });
    expect(log.take()).toEqual([`warn file load counts as 0 path=${path} problem=no such file or directory`]);
    await write('5', 5);
    expect(status()?.problem).toBeUndefined();
    writeFileSync(path, '');
    await doubted(0);
    expect(status()?.problem).toBe('no number in load');
    await write('6', 6);
    writeFileSync(path, 'abc');
    await doubted(0);
    await write('7', 7);
    rmSync(path);
    await doubted(0);
    expect(status()?.problem).toBe('no such file or directory');
    await write('8', 8);
    expect(values).toEqual([5, 0, 6, 0, 7, 0, 8]);
  });

  test('replaced by rename, again and again', async () => {
    writeFileSync(path, '1');
    follow();
    for (const value of [2, 3, 4]) {
      writeFileSync(`${path}.new`, String(value));
      renameSync(`${path}.new`, path);
      await seen(value);
    }
    await write('5', 5);
  });

  test('a link whose target in the same directory is switched, as a mounted ConfigMap does it', async () => {
    for (const [name, value] of [
      ['one', '1'],
      ['two', '2'],
    ] as const) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'load'), value);
    }
    symlinkSync('one', join(folder, 'data'));
    symlinkSync('data/load', path);
    follow();
    expect(trackers.files.get('load')).toBe(1);
    symlinkSync('two', join(folder, 'data.new'));
    renameSync(join(folder, 'data.new'), join(folder, 'data'));
    await seen(2);
  });

  test('the directory goes, and comes back', async () => {
    const sub = join(folder, 'sub');
    path = join(sub, 'load');
    mkdirSync(sub);
    writeFileSync(path, '1');
    follow();
    rmSync(sub, { recursive: true });
    await doubted(0);
    mkdirSync(sub);
    writeFileSync(path, '2');
    await clock.advance(seconds(5));
    await seen(2);
    await write('3', 3);
  });

  test('a FIFO of that name keeps nobody waiting', () => {
    execFileSync('mkfifo', [path]);
    follow();
    expect(trackers.status.files[0]).toMatchObject({ value: 0, problem: 'no number in load' });
  });

  test('a reload keeps a file that is the same, and follows the new path of one that moved', async () => {
    writeFileSync(path, '1');
    follow();
    await write('2', 2);
    const old = path;
    path = join(folder, 'other');
    writeFileSync(path, '7');
    follow();
    expect(trackers.files).toEqual(new Map([['load', 7]]));
    writeFileSync(old, '3');
    await write('8', 8);
    expect(values).toEqual([2, 8]);
    trackers.configure([], [], noPolicy);
    expect([trackers.files, clock.alarmCount]).toEqual([new Map(), 0]);
  });

  test('init_file writes where nothing is; overwrite writes always, and through no link', () => {
    follow({ initial: 7 });
    expect([readFileSync(path, 'utf8'), trackers.files.get('load')]).toEqual(['7\n', 7]);
    expect(initializeFile(file({ initial: 8 }))).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toBe('7\n');
    expect(initializeFile(file({ initial: 9, overwrites: true }))).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toBe('9\n');
    const link = join(folder, 'link');
    symlinkSync(join(folder, 'victim'), link);
    expect(initializeFile(file({ path: link, initial: 1, overwrites: true }))).toMatch(/symbolic link/);
    expect(initializeFile(file({ path: link, initial: 1 }))).toBeUndefined();
    expect(existsSync(join(folder, 'victim'))).toBe(false);
    chmodSync(folder, 0o755);
    expect(initializeFile(file({ path: join(folder, 'no/such'), initial: 1 }))).toBe(
      'no such file or directory',
    );
  });
});
