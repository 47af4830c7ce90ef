// Small files as users have them, where keepalived and a strict reader might part: what is said of each, and what it means.
import { describe, expect, test } from 'vitest';
import { decodeText } from '../../../src/model/text.js';
import { configOf, parseText, said, sampleNames, sampleText } from '../../support/parse-config.js';

/** What is said of a file; one with an error is refused. */
const verdicts: Readonly<Record<string, readonly string[]>> = {
  'alpha-1.conf': ['6:11 notice as-keepalived', '7:5 warning no-effect', '7:11 notice as-keepalived'],
  'c-comment.conf': ['12:5 error slash-comment'],
  'colon-port.conf': ['28:16 error invalid-address'],
  'comment-in-definition.conf': [],
  'dup-script.conf': ['10:13 warning duplicate-name'],
  'glued-comment.conf': [],
  'kind-lower.conf': ['4:13 error invalid-value'],
  'latin1-value.conf': ['19:22 notice not-utf-8'],
  'lvs-id.conf': ['2:5 notice old-name'],
  'nb-get-retry.conf': ['11:13 notice without-effect'],
  'nbsp.conf': ['15:1 error full-width'],
  'nopreempt-1.conf': ['7:15 notice as-keepalived'],
  'quorum-0.conf': ['6:12 warning value-replaced'],
  'script-args.conf': ['6:12 notice differs'],
  'security-true.conf': ['14:28 notice as-keepalived'],
  'semicolon-vip.conf': ['9:9 error invalid-mask'],
  'shell-prompt.conf': ['1:1 error unknown-keyword'],
  'slash-comment.conf': ['6:18 warning slash-ignored'],
  'sorry-len.conf': ['6:18 notice as-keepalived'],
  'state-slave.conf': ['2:11 warning value-replaced'],
  'sync-old.conf': ['7:5 warning no-effect'],
  'track-weight-eq.conf': ['17:13 warning no-effect'],
  'typographic-quotes.conf': ['7:12 error full-width'],
  'unicast-len.conf': ['7:20 notice as-keepalived', '9:9 notice as-keepalived'],
  'variable-comment.conf': [],
  'variable-hash.conf': [],
  'wrong-block.conf': ['25:1 error misplaced-keyword'],
};

/** A part of the first remedy. */
const remedies: Readonly<Record<string, string>> = {
  'c-comment.conf': 'use # or !',
  'colon-port.conf': 'write 192.0.2.10 80',
  'kind-lower.conf': 'did you mean DR?',
  'nb-get-retry.conf': 'write retry NUMBER',
  'nbsp.conf': 'write a space',
  'semicolon-vip.conf': 'lines end without a sign',
  'shell-prompt.conf': 'remove the line',
  'slash-comment.conf': 'use # or !',
  'sync-old.conf': 'write lvs_sync_daemon_interface',
  'track-weight-eq.conf': 'write weight 5',
  'typographic-quotes.conf': 'write "',
  'wrong-block.conf': 'track_script stands inside vrrp_instance { }',
};

test('every file is listed here', () => {
  expect(Object.keys(verdicts).toSorted()).toEqual(sampleNames('users'));
});

test.each(Object.keys(verdicts))('%s', (name) => {
  const result = parseText(sampleText('users', name));
  expect(said(result)).toEqual(verdicts[name]);
  expect(result.config === undefined).toBe(verdicts[name]?.some((line) => line.includes(' error ')));
  expect(result.diagnostics[0]?.help ?? '').toContain(remedies[name] ?? '');
});

// As the live keepalived 2.2.7 has them.
describe('what they mean', () => {
  const routerOf = (name: string) => configOf(sampleText('users', name)).failover.routers[0]?.router;

  test('a comment line is no part of a definition', () => {
    expect(routerOf('comment-in-definition.conf')).toMatchObject({ preempt: true, priority: 100 });
  });

  test('a flag is on', () => {
    expect(routerOf('nopreempt-1.conf')?.preempt).toBe(false);
    expect(routerOf('slash-comment.conf')?.preempt).toBe(false);
    expect(configOf(sampleText('users', 'security-true.conf')).failover.scriptPolicy.isSecure).toBe(true);
  });

  test('a variable that brings a comment sign hides the line, one that is empty does not', () => {
    expect(routerOf('variable-hash.conf')?.preempt).toBe(true);
    expect(routerOf('variable-comment.conf')?.preempt).toBe(false);
  });

  test('a length behind one address is ignored', () => {
    expect(routerOf('unicast-len.conf')).toMatchObject({
      source: '192.0.2.1',
      delivery: { kind: 'unicast', peers: [{ address: '192.0.2.2' }] },
    });
    expect(configOf(sampleText('users', 'sorry-len.conf')).virtualServers[0]?.sorryServer?.address).toBe(
      '192.0.2.30',
    );
  });

  test('the first script of a name counts, an option that is none does nothing', () => {
    const { scripts } = configOf(sampleText('users', 'dup-script.conf')).failover;
    expect(scripts.map(({ command }) => command)).toEqual([['/bin/true']]);
    expect(routerOf('track-weight-eq.conf')?.tracks.at(-1)).toMatchObject({ name: 'chk', weight: 10 });
  });

  test('replaced values', () => {
    expect(routerOf('state-slave.conf')?.startState).toBe('backup');
    expect(configOf(sampleText('users', 'quorum-0.conf')).virtualServers[0]?.quorum).toBe(1);
    expect(routerOf('glued-comment.conf')?.priority).toBe(100);
  });
});

// As the live keepalived 2.2.7, which ignores the second of these and takes the second of all others.
test('what is given twice: of some keywords the first counts', () => {
  const text = `
global_defs {
  notify_fifo /run/a
  notify_fifo /run/b
  notify_fifo_script /bin/a
  notify_fifo_script /bin/b
}
track_file f {
  file /tmp/a
  file /tmp/b
}
vrrp_sync_group G {
  group {
    A
    B
  }
  notify_master /bin/a
  notify_master /bin/b
}
vrrp_instance A {
  state BACKUP
  state MASTER
  interface eth0
  virtual_router_id 1
  version 3
  version 2
  use_vmac va
  use_vmac vb
  notify_stop /bin/a
  notify_stop /bin/b
  notify /bin/a
  notify /bin/b
  notify_deleted
  notify_deleted /bin/b
  track_file {
    f
  }
  virtual_ipaddress {
    10.0.0.1
  }
}
vrrp_instance B {
  interface eth0
  interface eth1
  virtual_router_id 2
  virtual_ipaddress {
    10.0.0.2
  }
}`;
  const { failover } = configOf(text);
  expect(failover.fifos).toMatchObject([{ path: '/run/a', script: { words: ['/bin/a'] } }]);
  expect(failover.files).toMatchObject([{ path: '/tmp/a' }]);
  expect(failover.groups[0]?.notify.master?.words).toEqual(['/bin/a']);
  const [first, second] = failover.routers;
  expect(first?.router).toMatchObject({
    startState: 'backup',
    priority: 100,
    version: 3,
    virtualMacDevice: 'va',
  });
  expect(first?.notify).toMatchObject({
    stop: { words: ['/bin/a'] },
    any: { words: ['/bin/a'] },
    deleted: { words: [] },
  });
  expect(second?.router.device).toBe('eth1');
  const told = parseText(text).diagnostics.filter(({ code }) => code === 'duplicate-keyword');
  expect(
    told.map(({ origin, message }) => [origin.line, /(?:this one|line \d+) counts/.exec(message)?.[0]]),
  ).toEqual([
    [4, 'line 3 counts'],
    [6, 'line 5 counts'],
    [10, 'line 9 counts'],
    [18, 'line 17 counts'],
    [22, 'line 21 counts'],
    [26, 'line 25 counts'],
    [28, 'line 27 counts'],
    [30, 'line 29 counts'],
    [32, 'line 31 counts'],
    [34, 'line 33 counts'],
    [44, 'this one counts'],
  ]);
});

// As the live keepalived 2.2.7 says, too.
test('0 where at least 1 is needed is 1', () => {
  const text = `
global_defs {
  vrrp_garp_master_refresh_repeat 0
}
vrrp_script s {
  script /bin/true
  interval 0
  timeout 0
  rise 0
  fall 0
}
vrrp_instance A {
  interface eth0
  virtual_router_id 1
  garp_master_repeat 0
  garp_lower_prio_repeat 0
  track_script {
    s
  }
  virtual_ipaddress {
    10.0.0.1
  }
}`;
  const { failover } = configOf(text);
  expect(failover.scripts).toMatchObject([{ interval: 1_000_000, timeout: 1_000_000, rise: 1, fall: 1 }]);
  expect(failover.routers[0]?.router.announce).toMatchObject({
    repeat: 1,
    refreshRepeat: 1,
    lowerPriorityRepeat: 0,
  });
  const replaced = parseText(text).diagnostics.filter(({ code }) => code === 'value-replaced');
  expect(replaced.map(({ origin }) => origin.line)).toEqual([3, 7, 8, 9, 10, 15]);
});

test('a mask instead of a length: the help has the length', () => {
  const help = (text: string) =>
    parseText(`static_ipaddress {\n${text} dev eth0\n}`).diagnostics.find(
      ({ code }) => code === 'invalid-mask',
    )?.help;
  expect([help('10.0.0.9/255.255.254.0'), help('10.0.0.9/255.0.255.0')]).toEqual([
    'write 10.0.0.9/23',
    undefined,
  ]);
});

test.each([
  ['Master', 'write MASTER if that is meant: keepalived compares letter by letter'],
  ['SLAVE', 'write BACKUP'],
])('state %s: what to write', (state, help) => {
  const text = `vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nstate ${state}\n}`;
  expect(parseText(text).diagnostics.find(({ code }) => code === 'value-replaced')?.help).toBe(help);
});

test('`</path` is a test of keepalived, and no sign of a shell; a second one is', () => {
  const shell = (command: string) =>
    parseText(`vrrp_script s {\nscript "${command}"\n}`).diagnostics.filter(
      ({ code }) => code === 'as-keepalived',
    );
  expect(shell('</dev/tcp/127.0.0.1/80')).toEqual([]);
  expect(shell('cat </etc/x')).toHaveLength(1);
});

test.each([
  [
    'a comment of C over three lines',
    '/* a\n vrrp_instance x {\n */\nglobal_defs {\n}',
    '1:1 error slash-comment',
  ],
  [
    'one that ends in its line hides only that',
    '/* a */\nzzz 1',
    '1:1 error slash-comment,2:1 error unknown-keyword',
  ],
  [
    'a template',
    'vrrp_instance {{ name }} {\n  {% for ip in vips %}\n  state {{ state }}\n}\n}\n',
    '1:15 error template',
  ],
  ['a template in a block', 'global_defs {\n  router_id {{ name }}\n}\nzzz', '2:13 error template'],
  ['UTF-16', decodeText(Uint8Array.from([255, 254, 118, 0, 10, 0])), '1:1 error utf-16'],
  ['UTF-16 without a mark', 'v\0r\0r\0p\0\n\0', '1:1 error utf-16'],
  ['a prompt of a user', '$ cat x\n', '1:1 error unknown-keyword'],
  ['a fence', '```\n', '1:1 error unknown-keyword'],
  ['a prompt of root', '[root@lb1 ~]# cat x\n', '1:1 error unknown-keyword'],
  [
    'the mail of an example',
    'global_defs {\nnotification_email {\na@b.c\n}\nsmtp_server 192.0.2.1\nsmtp_alert\nno_email_faults\n}',
    '2:1 warning not-in-effect-yet',
  ],
])('%s: said once', (_, text, expected) => {
  const result = parseText(text);
  expect(said(result).join()).toBe(expected);
  if (/^[[$]/.test(text)) expect(result.diagnostics[0]?.help).toContain('prompt of a shell');
});
