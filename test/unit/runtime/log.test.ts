// The two formats of the log.

import { expect, test } from 'vitest';
import { createLog } from '../../../src/runtime/log.js';

function collect(
  format: 'text' | 'json',
  level: 'debug' | 'warn',
): { lines: string[]; log: ReturnType<typeof createLog> } {
  const lines: string[] = [];
  return { lines, log: createLog(format, level, (line) => lines.push(line)) };
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
