// Form: which blocks and keywords are known where, what a mistake is called, and that parsing goes on behind it.
import { describe, expect, test } from 'vitest';
import { rootBlock } from '../../../src/config/grammar/root.js';
import { allKeywords } from '../../../src/config/parser.js';
import { parseText, said } from '../../support/parse-config.js';

const service = (body: string) =>
  `virtual_server 10.0.0.1 80 {\nprotocol TCP\nlvs_sched rr\nlvs_method NAT\n${body}\n}`;
const server = (body: string) => service(`real_server 10.0.0.2 80 {\n${body}\n}`);
const saidOf = (text: string) => said(parseText(text));

describe('braces', () => {
  test.each([
    ['on the line of the keyword', 'global_defs {\nrouter_id a\n}'],
    ['glued', 'global_defs{\nrouter_id a}'],
    ['on the next line', 'global_defs\n\n{\nrouter_id a\n}'],
    ['on one line', 'global_defs { router_id a }'],
  ])('%s', (_, text) => {
    expect(parseText(text).config?.global.routerId).toBe('a');
  });

  test.each([
    ['}', ['1:1 error unmatched-brace']],
    ['global_defs {\n}\n}', ['3:1 error unmatched-brace']],
    ['{\n}', ['1:1 error unexpected-brace']],
    ['global_defs {\nrouter_id a {\nb\n}\n}', ['2:13 error unexpected-brace']],
    ['global_defs {\nrouter_id a', ['1:1 error unclosed-block']],
    ['global_defs\nstatic_ipaddress {\n}', ['1:1 error missing-block']],
    // A forgotten { is one mistake: what follows is read as what was meant.
    [
      'vrrp_instance A\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress\n10.0.0.1\n}\n}',
      ['1:1 error missing-block', '4:1 error missing-block'],
    ],
    [
      'vrrp_instance A\nvirtual_router_id 256\nstate BACKUP\n}',
      ['1:1 error missing-block', '2:19 error out-of-range'],
    ],
    ['vrrp_instance A\npriorty 5\n', ['1:1 error missing-block', '2:1 error unknown-keyword']],
    ['nonsense {\n{ }\nmore {\n}\n}', ['1:1 error unknown-keyword']],
    ['nonsense\n{\nmore\n}', ['1:1 error unknown-keyword']],
    ['nonsense {', ['1:1 error unknown-keyword', '1:10 error unclosed-block']],
    ['director {\n}\ndirector {\n}', ['3:1 error duplicate-block']],
    ['static_ipaddress {\n10.0.0.1 {\n}\n}', ['2:1 error unexpected-brace']],
  ])('%j', (text, expected) => {
    expect(saidOf(text)).toEqual(expected);
  });

  test('the missing } is seen at the next block that cannot stand inside', () => {
    expect(saidOf(`global_defs {\nrouter_id a\n${server('')}`)).toEqual(['3:1 error unclosed-block']);
    const twoServers = service('real_server 10.0.0.2 80 {\nweight 1\nreal_server 10.0.0.3 80 {\n}');
    expect(saidOf(twoServers)).toEqual(['7:1 error unclosed-block']);
    const addresses = 'vrrp_instance a {\nvirtual_ipaddress {\n10.0.0.1\npriority 100\n}';
    expect(saidOf(addresses)).toEqual(['4:1 error unclosed-block']);
  });
});

describe('keywords', () => {
  test('words where a block should be: one error, whose help has them in it', () => {
    const lines = ['unicast_peer 10.0.0.2 10.0.0.3', 'virtual_ipaddress 10.0.0.1', 'track_interface eth1'];
    const text = `vrrp_instance A {\ninterface eth0\nvirtual_router_id 5\n${lines.join('\n')}\n}`;
    const { diagnostics } = parseText(text);
    expect(
      diagnostics.filter(({ severity }) => severity !== 'notice').map(({ code, help }) => [code, help]),
    ).toEqual([
      ['missing-block', 'write unicast_peer { 10.0.0.2 10.0.0.3 }'],
      ['missing-block', 'write virtual_ipaddress { 10.0.0.1 }'],
      ['missing-block', 'write track_interface { eth1 }'],
    ]);
    const server = 'virtual_server 10.0.0.1 80 {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n';
    const check = parseText(`${server}real_server 10.0.0.2 80 {\nPING_CHECK\n}\n}`);
    expect(said(check)).toEqual(['6:1 error missing-block']);
  });

  test.each([
    ['wieght 1', 'unknown-keyword', 'did you mean weight?'],
    ['lb_knid NAT', 'unknown-keyword', 'did you mean lb_kind?'],
    ['connect_port 1', 'misplaced-keyword', 'connect_port stands inside TCP_CHECK { } or another block'],
    ['quorum 1', 'misplaced-keyword', 'quorum stands inside virtual_server { }'],
    ['global_defs 1', 'misplaced-keyword', 'global_defs stands outside all blocks'],
    ['zzz', 'unknown-keyword', undefined],
    ['//weight 1', 'slash-comment', 'use # or !'],
  ])('%s', (line, code, help) => {
    const [first] = parseText(server(line)).diagnostics;
    expect(first).toMatchObject({ code, severity: 'error' });
    expect(first?.help).toEqual(help === undefined ? undefined : expect.stringContaining(help));
  });

  test('with --lenient an unknown keyword warns, and its block is passed over', () => {
    const { config, diagnostics } = parseText(server('zzz 1\nyyy {\nweight 9\n}'), { lenient: true });
    expect(diagnostics.map(({ severity, code }) => `${severity} ${code}`)).toEqual([
      'warning unknown-keyword',
      'warning unknown-keyword',
    ]);
    expect(config?.virtualServers[0]?.realServers[0]?.weight).toBe(1);
  });

  test('the last of two counts, with a warning; synonyms are one keyword', () => {
    const result = parseText(service('lb_algo lc\nreal_server 10.0.0.2 80 {\nweight 2\nweight 3\n}'));
    expect(said(result)).toEqual(['5:1 warning duplicate-keyword', '8:1 warning duplicate-keyword']);
    expect(result.config?.virtualServers[0]).toMatchObject({ scheduler: 'lc' });
    expect(result.config?.virtualServers[0]?.realServers[0]?.weight).toBe(3);
  });

  test('what is not in effect yet is named once for each kind and block, with the first line', () => {
    const text = server('notify_up a\nnotify_up b\nnotify_down c\nHTTP_GET {\nurl { path / }\n}');
    const result = parseText(
      `global_defs {\nsmtp_alert\n}\n${text}\n${text.replace('10.0.0.1', '10.0.0.9')}`,
    );
    const named = result.diagnostics.filter(({ code }) => /^not-/.test(code));
    expect(named.map(({ origin, message }) => `${origin.line} ${message}`)).toEqual([
      '2 mail (smtp_alert) is not in effect yet',
      '9 notify_up is not in effect yet (and 3 more like it)',
      '11 notify_down is not in effect yet (and 1 more like it)',
      '12 HTTP_GET is not in effect yet: a server with no other check counts as always up (and 1 more like it)',
    ]);
    // Only what moves traffic is an error.
    expect(named.map(({ severity }) => severity)).toEqual(['warning', 'warning', 'warning', 'error']);
    expect(result.config).toBeUndefined();
  });
});

describe('values', () => {
  test.each([
    ['weight', '1 error missing-value'],
    ['weight x', '8 error invalid-value'],
    ['weight -1', '8 error out-of-range'],
    ['weight 1;', '8 error invalid-value'],
    ['weight 1 2', '10 warning extra-words'],
    ['weight 1 //2', '10 warning slash-ignored'],
    ['weight // 2', '8 error slash-comment'],
    ['alpha maybe', '7 error invalid-value'],
    ['alpha True', '7 error invalid-value'],
    ['lvs_method nat', '12 error invalid-value'],
    ['lvs_method TUN typ gre', '16 error invalid-value'],
    ['lvs_method TUN type', '16 error missing-value'],
    ['delay_loop 0', '12 error out-of-range'],
    ['delay_loop 1s', '12 error invalid-value'],
    ['HTTP_GET { url { status_code 2xx } }', '30 error invalid-value'],
    ['TCP_CHECK { connect_ip 1.2.3 }', '24 error invalid-address'],
    ['TCP_CHECK { connect_port 0 }', '26 error out-of-range'],
  ])('%s', (line, expected) => {
    expect(saidOf(server(line))).toContain(`6:${expected}`);
  });

  test.each([
    ['10.0.0.1/33', 'invalid-mask'],
    ['10.0.0.256/33', 'invalid-address'],
    ['fd00::1/129', 'invalid-mask'],
    ['10.0.0.1/x', 'invalid-mask'],
    ['10.0.0.1 nodad', 'invalid-value'],
    ['10.0.0.1 dev', 'missing-value'],
    ['10.0.0.1 dev a scope far', 'invalid-value'],
  ])('address line %s', (line, code) => {
    const [first] = parseText(`static_ipaddress {\n${line}\n}`).diagnostics;
    expect(first).toMatchObject({ code, severity: 'error' });
  });

  test('a variable that is not defined is named', () => {
    expect(parseText(server('weight $W')).diagnostics[0]?.help).toBe('$W is not defined above this line');
  });

  test('old names are taken with one notice, ineffective keywords named', () => {
    const names = 'global_defs {\nlvs_id a\n}\nglobal_defs {\nlvs_id b\n}';
    expect(said(parseText(names))).toEqual(['2:1 notice old-name']);
    expect(parseText(names).config?.global.routerId).toBe('b');
    // No keepalived knows it in TCP_CHECK: the retry is the usual one.
    const result = parseText(server('TCP_CHECK {\nnb_get_retry 4\n}'));
    expect(said(result)).toEqual(['7:1 notice without-effect']);
    expect(result.diagnostics[0]?.help).toContain('write retry');
    expect(result.config?.virtualServers[0]?.realServers[0]?.checkers.map(({ retries }) => retries)).toEqual([
      1,
    ]);
    expect(saidOf(`${server('')}\nglobal_defs {\nlvs_flush\n}`)).toEqual(['10:1 notice without-effect']);
  });
});

test('the grammar has no keyword twice in a block and none of two meanings by its names', () => {
  const all = allKeywords(rootBlock);
  expect(all.length).toBeGreaterThan(400);
  for (const { keyword, shape } of all) {
    expect(keyword).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(shape.name).toMatch(/^[A-Za-z0-9_-]+$/);
  }
});
