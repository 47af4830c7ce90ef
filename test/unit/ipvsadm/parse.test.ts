// The grammar of ipvsadm's command line against what the real ipvsadm said (test/golden/ipvsadm.json), and by hand where a
// recording can't tell what was understood.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseCommand } from '../../../src/ipvsadm/parse.js';
import { flagsOf } from '../../../src/ipvsadm/values.js';
import type { IpAddress } from '../../../src/model/address.js';
import { type RecordedScenario, recordedNames } from '../../support/recorded-ipvsadm.js';

const scenarios = JSON.parse(
  readFileSync(new URL('../../golden/ipvsadm.json', import.meta.url), 'utf8'),
) as readonly RecordedScenario[];

const ip = (text: string) => text as IpAddress;
const parse = (line: string) => parseCommand(line.split(' ').slice(1), recordedNames);

/** What the kernel says, which no grammar knows. */
const ofTheKernel =
  /^(Service (already exists|not defined)|No such (service|destination|device)|Destination already exists|Scheduler or persistence engine not found|Numerical result out of range|No daemon is running|Daemon has already run)\n$/;

describe.each(scenarios)('$name', ({ commands }) => {
  test('is taken or refused as by ipvsadm', () => {
    for (const { run, stdin, stderr, code } of commands) {
      if (!run.startsWith('ipvsadm ') || stdin !== undefined) continue;
      const parsed = parse(run);
      const isTaken = code === 0 || ofTheKernel.test(stderr);
      if (isTaken) expect(parsed, run).toMatchObject({ kind: 'command' });
      else expect(parsed, run).toEqual({ kind: 'refused', code, message: stderr.replace(/\n$/, '') });
    }
  });
});

describe('words that a shell would quote', () => {
  const cases: readonly (readonly [readonly string[], string, number])[] = [
    [['-Ln', ''], 'unexpected argument ', 2],
    [['-A', '-t', ''], 'illegal virtual server address[:port] specified', 2],
    [['-A', '-t', ' 10.0.0.1:80'], 'illegal virtual server address[:port] specified', 2],
    [['-A', '-t', '[fe80::1%lo]:80'], 'illegal virtual server address[:port] specified', 2],
    [['-a', '-t', '10.0.0.3:80', '-r', ''], 'illegal real server address[:port] specified', 2],
    [['-A', '-t', '10.0.0.1:91', '-p', ''], "invalid timeout value `' specified", 2],
    [['-a', '-t', '10.0.0.1:90', '-r', '10.1.0.3', '-w', ''], 'illegal weight specified', 2],
    [['-A', '-n=3', '-t', '10.0.0.1:80'], '-n=3: option does not take an argument', 255],
    [['-L', '--numeric=3'], '--numeric=3: option does not take an argument', 255],
    [['-A', '--tcp-service'], '--tcp-service: missing argument', 255],
    [['-A', '--tcp', '10.0.0.1:80'], '--tcp: unknown option', 255],
    [['-A', '-t', '10.0.0.1:80', '--', 'foo'], 'unexpected argument foo', 2],
    [['-'], "Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255],
    [
      ['-a', '-t', '10.0.0.1:80', '-r', '10.1.0.1', '-m', '--tun-csum'],
      'Tunnel options conflict with forward method',
      2,
    ],
    [
      ['-a', '-t', '10.0.0.1:80', '-r', '10.1.0.1', '-i', '--tun-csum'],
      "Illegal 'tun-csum' option with the 'ipip' tunnel type",
      2,
    ],
  ];

  test.each(cases)('%j: %s', (args, message, code) => {
    expect(parseCommand(args, recordedNames)).toEqual({ kind: 'refused', message, code });
  });
});

describe('what is understood', () => {
  const web = { kind: 'address', protocol: 'tcp', address: ip('10.0.0.1'), port: 80 };
  const plain = { scheduler: 'wlc', flags: 0, onePacket: false, persistence: undefined, engine: undefined };

  test('a service with everything', () => {
    expect(parse('ipvsadm -E -t 10.0.0.1:http -p -M 255.255.255.0 -s sh -b sh-port --pe sip')).toEqual({
      kind: 'command',
      command: {
        kind: 'edit-service',
        service: web,
        set: {
          scheduler: 'sh',
          flags: 2,
          onePacket: false,
          persistence: { timeout_s: 360, mask: '255.255.255.0' },
          engine: 'sip',
        },
      },
    });
  });

  test('what is not said is the default', () => {
    expect(parse('ipvsadm -At=10.0.0.1:80')).toEqual({
      kind: 'command',
      command: { kind: 'add-service', service: web, set: plain },
    });
    expect(parse('ipvsadm -a -t 10.0.0.1:80 -r 10.1.0.1')).toMatchObject({
      command: { server: { port: 80, method: 'dr', weight: 1, upperThreshold: 0, lowerThreshold: 0 } },
    });
  });

  test('only NAT keeps a port of its own, and a mark has none', () => {
    const server = (line: string) => parse(line) as unknown as { command: { server: { port: number } } };
    expect(server('ipvsadm -a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m').command.server.port).toBe(8080);
    expect(server('ipvsadm -a -t 10.0.0.1:80 -r 10.1.0.1:8080 -g').command.server.port).toBe(80);
    expect(server('ipvsadm -d -t 10.0.0.1:80 -r 10.1.0.1:8080').command.server.port).toBe(8080);
    expect(server('ipvsadm -a -f 1 -r 10.1.0.1 -m').command.server.port).toBe(0);
  });

  test('glued listings', () => {
    const list = (line: string) => (parse(line) as { command?: unknown }).command;
    const glued = list('ipvsadm -Lnt 10.0.0.1:80 --stats --exact');
    expect(glued).toEqual({
      kind: 'list',
      what: 'services',
      service: web,
      isNumeric: true,
      listing: { kind: 'stats', isExact: true, isSorted: true },
    });
    expect(list('ipvsadm -lnc --nosort')).toMatchObject({
      what: 'connections',
      listing: { isSorted: false },
    });
    expect(list('ipvsadm')).toEqual(list('ipvsadm -l'));
  });

  test('a host that nobody has looked up is asked for', () => {
    const line = ['-A', '-t', 'www.example.org:80'];
    expect(parseCommand(line, recordedNames)).toEqual({ kind: 'unknown-host', host: 'www.example.org' });
    const known = { ...recordedNames, host: () => ip('10.0.0.1') };
    expect(parseCommand(line, known)).toMatchObject({ command: { service: web } });
  });

  test('bits have the names of their scheduler', () => {
    expect(flagsOf(3, 'sh')).toEqual(['sh-fallback', 'sh-port']);
    expect(flagsOf(2, 'mh')).toEqual(['mh-port']);
    expect(flagsOf(4, 'sh')).toBeUndefined();
    expect(flagsOf(1, 'rr')).toBeUndefined();
    expect(flagsOf(0, 'rr')).toEqual([]);
  });
});
