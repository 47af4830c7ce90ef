// The log: its two formats, what becomes of lines that can't be written, and of lines that only repeat.

import { describe, expect, test } from 'vitest';
import { createLog, type Log } from '../../../src/runtime/log.js';
import { gatePeriod, linesPerPeriod } from '../../../src/runtime/log-gate.js';
import type { LogLoss } from '../../../src/runtime/log-output.js';
import { ManualClock } from '../../support/manual-clock.js';

type Collected = { readonly lines: string[]; readonly log: Log; readonly clock: ManualClock; loss: LogLoss };

function collect(format: 'text' | 'json', level: 'debug' | 'warn'): Collected {
  const lines: string[] = [];
  const clock = new ManualClock();
  const output = { write: (line: string) => lines.push(line), loss: () => collected.loss };
  const log = createLog(format, level, output, clock);
  const collected: Collected = { lines, log, clock, loss: { count: 0, reason: '', isOver: true } };
  return collected;
}

test('text: time, level, message, fields; quotes where a value has spaces', () => {
  const { lines, log } = collect('text', 'debug');
  log.info('server up', {
    server: '10.1.0.1:80',
    count: 3,
    reason: 'the check passed',
    list: ['a', 1],
    none: undefined,
  });
  log.debug('line\nbreak', { value: 'a\nb' });
  expect(lines[0]).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:.]+Z info {2}server up server=10\.1\.0\.1:80 count=3 reason="the check passed" list=\["a",1\]\n$/,
  );
  expect(lines[1]).toMatch(/ debug line break value="a\\nb"\n$/);
});

test('json: one object a line', () => {
  const { lines, log } = collect('json', 'debug');
  log.error('bad', { code: 7 });
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    level: 'error',
    time: expect.any(String),
    code: 7,
    message: 'bad',
  });
});

test('what is below the level is not said', () => {
  const { lines, log } = collect('text', 'warn');
  log.info('no');
  log.warn('yes');
  expect(lines.length).toBe(1);
});

test('lines that were lost are said once, when writing works again', () => {
  const collected = collect('text', 'debug');
  const { lines, log } = collected;
  collected.loss = { count: 3, reason: 'No space left on device', isOver: false };
  log.info('one');
  expect(lines.length).toBe(1);
  collected.loss = { count: 4, reason: 'No space left on device', isOver: true };
  log.info('two');
  log.info('three');
  expect(lines.slice(1).map((line) => line.slice(25))).toEqual([
    'warn  log lines were lost lines=4 reason="No space left on device"\n',
    'info  two\n',
    'info  three\n',
  ]);
  expect(log.unwritten?.()).toEqual({ lost: 4, heldBack: 0 });
});

describe('lines that repeat', () => {
  test('a hundred of a message in a period, then how many there were; other messages are not held back', async () => {
    const { lines, log, clock } = collect('text', 'debug');
    for (let i = 0; i < linesPerPeriod + 40; i++) log.info('check failed', { server: i });
    log.info('reloaded');
    expect(lines.length).toBe(linesPerPeriod + 1);
    expect(log.unwritten?.().heldBack).toBe(40);
    await clock.advance(gatePeriod);
    expect(lines.slice(linesPerPeriod + 1).map((line) => line.slice(25))).toEqual([
      'warn  log lines of one message were held back lines=40 of="check failed"\n',
    ]);
    log.info('check failed', { server: 0 });
    expect(lines.length).toBe(linesPerPeriod + 3);
    expect(clock.alarmCount).toBe(0);
  });

  test('ten thousand different messages are remembered in bounded space, and none is lost', () => {
    const { lines, log } = collect('text', 'debug');
    for (let i = 0; i < 10_000; i++) log.info(`message ${i}`);
    expect(lines.length).toBe(10_000);
  });
});
