// The files that users bring: what loads, what is said of it to the line, and what is refused with which remedy.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { printConfig } from '../../../src/config/index.js';
import { parseText, said, sampleNames, sampleText, withoutOrigins } from '../../support/parse-config.js';
import { requires } from '../../support/require.js';

/** Without what every file with failover or mail says: not in effect yet. */
const remarks: Readonly<Record<string, readonly string[]>> = {
  'dr-master.conf': ['38:13 notice old-name'],
  'dr-backup.conf': ['38:13 notice old-name'],
  'nat.conf': [],
  'two-machines.conf': ['24:30 warning port-ignored', '31:30 warning port-ignored'],
  'web-ha-preempt.conf': [],
  'web-ha-nopreempt.conf': [],
  'mail-http-misc.conf': [
    '23:5 notice without-effect',
    '26:28 warning sorry-port-ignored',
    '39:13 notice old-name',
  ],
  'glued-brace.conf': [],
};

const notInEffect: Readonly<Record<string, readonly string[]>> = {
  'dr-master.conf': [
    '3 notification_email',
    '7 notification_email_from',
    '8 smtp_server',
    '9 smtp_connect_timeout',
  ],
  'nat.conf': [],
  'two-machines.conf': [],
  'web-ha-preempt.conf': [],
  'mail-http-misc.conf': [
    '2 notification_email',
    '3 notification_email_from',
    '4 smtp_server',
    '5 smtp_connect_timeout',
    '6 smtp_alert',
    '22 persistence_timeout',
    '29 HTTP_GET',
    '46 MISC_CHECK',
    '51 notify_up',
    '52 notify_down',
  ],
  'glued-brace.conf': [],
};

describe('valid', () => {
  test('every file is listed here', () => {
    expect(Object.keys(remarks).toSorted()).toEqual(sampleNames('valid'));
  });

  test.each(sampleNames('valid'))('%s', (name) => {
    const result = parseText(sampleText('valid', name));
    expect(result.config).toBeDefined();
    expect(said(result).filter((line) => !line.includes('not-in-effect-yet'))).toEqual(remarks[name]);
    const later = result.diagnostics.filter(({ code }) => code === 'not-in-effect-yet');
    const named = later.map(({ origin, message }) => `${origin.line} ${message.split(/ is | \(/)[0]}`);
    if (notInEffect[name] !== undefined) expect(named).toEqual(notInEffect[name]);
  });

  test.each(sampleNames('valid'))('%s printed is the same configuration', (name) => {
    const { config } = parseText(sampleText('valid', name));
    if (config === undefined) throw new Error('refused');
    const again = parseText(printConfig(config));
    expect(said(again).filter((line) => line.includes(' error '))).toEqual([]);
    expect(withoutOrigins(again.config)).toEqual(withoutOrigins(config));
  });

  test('two machines: packets arrive at the port of the service, checks go where the servers listen', () => {
    const servers = parseText(sampleText('valid', 'two-machines.conf')).config?.virtualServers[0]
      ?.realServers;
    expect(servers?.map(({ port, checkers }) => [port, checkers[0]?.connectPort])).toEqual([
      [80, 10080],
      [80, 10080],
    ]);
  });
});

/** The errors, each with a part of its remedy. */
const mistakes: Readonly<Record<string, readonly (readonly [string, string | undefined])[]>> = {
  'check-without-block.conf': [
    ['9:9 misplaced-keyword', 'connect_port stands inside TCP_CHECK { }'],
    ['10:9 misplaced-keyword', 'nb_get_retry stands inside TCP_CHECK { }'],
  ],
  'full-width.conf': [
    ['3:19 full-width', 'remove it'],
    ['4:17 unclosed-quote', 'close it with "'],
  ],
  'missing-brace.conf': [['10:1 unclosed-block', 'a } is missing before line 10']],
  'slash-comments.conf': [
    ['2:27 slash-comment', 'use # or !'],
    ['3:27 slash-comment', 'use # or !'],
    ['6:27 slash-comment', 'use # or !'],
    ['8:27 slash-comment', 'use # or !'],
  ],
  'typo.conf': [
    ['3:5 unknown-keyword', 'did you mean lb_algo?'],
    ['4:13 invalid-value', 'did you mean DR?'],
    ['5:5 unknown-keyword', 'did you mean protocol?'],
    ['7:9 unknown-keyword', 'did you mean weight?'],
  ],
  'values.conf': [
    ['4:23 out-of-range', undefined],
    ['5:14 out-of-range', undefined],
    ['6:25 invalid-address', 'four numbers from 0 to 255'],
    ['8:29 out-of-range', undefined],
    ['11:41 out-of-range', undefined],
  ],
};

describe('broken', () => {
  test('every file is listed here', () => {
    expect(Object.keys(mistakes).toSorted()).toEqual(sampleNames('broken'));
  });

  test.each(sampleNames('broken'))('%s', (name) => {
    const { config, diagnostics } = parseText(sampleText('broken', name));
    expect(config).toBeUndefined();
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    const expected = mistakes[name] ?? [];
    expect(errors.map(({ origin, code }) => `${origin.line}:${origin.column} ${code}`)).toEqual(
      expected.map(([where]) => where),
    );
    for (const [i, [, remedy]] of expected.entries()) {
      if (remedy === undefined) expect(errors[i]?.message).toContain('expected');
      else expect(errors[i]?.help).toContain(remedy);
    }
  });
});

const debianSamples = '/usr/share/doc/keepalived/samples';

requires('pkg:keepalived').test('the samples that come with keepalived load without an error', () => {
  const names = existsSync(debianSamples) ? readdirSync(debianSamples) : [];
  const configs = names.filter((name) => name.startsWith('keepalived.conf.'));
  for (const name of configs) {
    const { diagnostics } = parseText(readFileSync(`${debianSamples}/${name}`, 'utf8'));
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    expect(errors, name).toEqual([]);
  }
});
