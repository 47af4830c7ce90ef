// The files that users bring: what loads, what is said of it to the line, and what is refused with which remedy.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { printConfig } from '../../../src/config/index.js';
import { asPrinted, parseText, said, sampleNames, sampleText } from '../../support/parse-config.js';
import { requires } from '../../support/require.js';

/** Everything that is said of a file but what is not in effect yet. */
const remarks: Readonly<Record<string, readonly string[]>> = {
  'dr-master.conf': ['38:13 notice without-effect'],
  'dr-backup.conf': ['38:13 notice without-effect'],
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

const mailOfDr = ['3 mail'];

/** What is read and named once, with its line. */
const notInEffect: Readonly<Record<string, readonly string[]>> = {
  'dr-master.conf': mailOfDr,
  'dr-backup.conf': mailOfDr,
  'nat.conf': [],
  'two-machines.conf': [],
  'web-ha-preempt.conf': [],
  'web-ha-nopreempt.conf': [],
  'mail-http-misc.conf': ['2 mail', '29 HTTP_GET', '46 MISC_CHECK', '51 notify_up', '52 notify_down'],
  'glued-brace.conf': [],
};

describe('valid', () => {
  test('every file is listed here', () => {
    expect(Object.keys(remarks).toSorted()).toEqual(sampleNames('valid'));
  });

  test.each(sampleNames('valid'))('%s', (name) => {
    const strict = parseText(sampleText('valid', name));
    const written = strict.diagnostics.filter(({ code }) => code === 'not-as-written');
    expect(strict.config === undefined).toBe(written.length > 0);
    const result = parseText(sampleText('valid', name), { lenient: true });
    expect(result.config).toBeDefined();
    expect(said(result).filter((line) => !/not-in-effect-yet|not-as-written/.test(line))).toEqual(
      remarks[name],
    );
    const later = result.diagnostics.filter(
      ({ code }) => code === 'not-in-effect-yet' || code === 'not-as-written',
    );
    const named = later.map(({ origin, message }) => `${origin.line} ${message.split(/ is | \(/)[0]}`);
    expect(named).toEqual(notInEffect[name]);
  });

  test('failover of the samples: routers with their addresses, the group, the script', () => {
    const failoverOf = (name: string) => parseText(sampleText('valid', name)).config?.failover;
    expect(failoverOf('dr-backup.conf')?.routers).toMatchObject([
      { router: { name: 'lab_dr', virtualRouterId: 61, addresses: [{ address: '198.18.5.100' }] } },
    ]);
    const nat = failoverOf('nat.conf');
    expect(nat?.groups.map(({ group }) => group.members)).toEqual([['inside', 'outside']]);
    expect(nat?.routers.map(({ router }) => router.priority)).toEqual([120, 120]);
    expect(failoverOf('web-ha-nopreempt.conf')).toMatchObject({
      routers: [
        {
          router: {
            preempt: false,
            tracks: [{ name: 'ens33' }, { kind: 'script', name: 'web_alive', weight: -20 }],
          },
          notify: { master: { words: ['/bin/true'] } },
        },
      ],
      scripts: [{ command: ['/usr/bin/pgrep', '-x', 'nginx'], fall: 2, interval: 2_000_000 }],
      scriptPolicy: { account: { user: 'root' }, isSecure: true },
    });
  });

  test.each(sampleNames('valid'))('%s printed is the same configuration', (name) => {
    const { config } = parseText(sampleText('valid', name), { lenient: true });
    if (config === undefined) throw new Error('refused');
    const again = parseText(printConfig(config));
    expect(said(again).filter((line) => line.includes(' error '))).toEqual([]);
    expect(asPrinted(again.config)).toEqual(asPrinted(config));
  });

  test('two machines: packets arrive at the port of the service, checks go where the servers listen', () => {
    const servers = parseText(sampleText('valid', 'two-machines.conf')).config?.virtualServers[0]
      ?.realServers;
    expect(servers?.map(({ port, checkers }) => [port, checkers[0]?.question])).toEqual([
      [80, expect.objectContaining({ connectPort: 10080 })],
      [80, expect.objectContaining({ connectPort: 10080 })],
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
  'slash-comments.conf': [['2:27 slash-comment', 'use # or !']],
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

const debianNames = () =>
  (existsSync(debianSamples) ? readdirSync(debianSamples) : []).filter((name) =>
    name.startsWith('keepalived.conf.'),
  );

requires('pkg:keepalived').describe('the samples that come with keepalived', () => {
  test.each(debianNames())('%s loads without an error, and printed is the same', (name) => {
    const { config, diagnostics } = parseText(readFileSync(`${debianSamples}/${name}`, 'utf8'), {
      configId: 'high',
      lenient: true,
    });
    expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
    if (config === undefined) throw new Error('refused');
    expect(asPrinted(parseText(printConfig(config)).config)).toEqual(asPrinted(config));
  });

  test('all of their virtual routers are there', () => {
    const counts = debianNames().map((name) => {
      const text = readFileSync(`${debianSamples}/${name}`, 'utf8');
      const written = text.match(/^\s*vrrp_instance /gm)?.length ?? 0;
      return [name, written, parseText(text, { lenient: true }).config?.failover.routers.length];
    });
    expect(counts.filter(([, written, read]) => written !== read)).toEqual([]);
    expect(counts.length).toBeGreaterThan(20);
  });
});
