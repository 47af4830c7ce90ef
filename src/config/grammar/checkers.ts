// Form of the checkers that are not in effect yet. Those that are: ../checkers.

import { checkerShape, neverInCheckers as never, scheduleOf } from '../checkers/checker.js';
import { connectionRows } from '../checkers/connection.js';
import { shapesOf } from '../row.js';
import {
  argumentsOf,
  blockOf,
  choice,
  each,
  flag,
  keyword,
  keywords,
  one,
  type Shapes,
  some,
} from '../shapes.js';
import { account, anyWord, hexDigits, integer, oneOf, timer, type ValueKind } from '../values.js';

const maxUnsigned = 4_294_967_295;
const oldNames = { nb_get_retry: 'retry' };
const schedule = scheduleOf();
const common: Shapes = { ...shapesOf(connectionRows), ...shapesOf(schedule) };

const statusCode: ValueKind = {
  what: 'a status code or a range of them (200-299)',
  problemOf: (text) =>
    /^\d{3}(?:-\d{3})?$/.test(text)
      ? undefined
      : { code: 'invalid-value', text: `${text} is not ${statusCode.what}` },
};

const regexOptions = oneOf(
  (
    'allow_empty_class alt_bsux auto_callout caseless dollar_endonly dotall dupnames extended firstline ' +
    'match_unset_backref multiline never_ucp never_utf no_auto_capture no_auto_possess no_dotstar_anchor ' +
    'no_start_optimize ucp ungreedy utf never_backslash_c alt_circumflex alt_verbnames use_offset_limit'
  ).split(' '),
);

const size = integer(0, maxUnsigned);

const url = keywords({
  now: {
    path: one(anyWord),
    digest: one(hexDigits),
    status_code: some(statusCode),
    virtualhost: one(anyWord),
    regex: one(anyWord),
    regex_no_match: flag,
    regex_options: some(regexOptions),
    regex_stack: keyword(argumentsOf({ required: [size, size] })),
    regex_min_offset: one(size),
    regex_max_offset: one(size),
    tls_compliant: choice,
  },
});

const httpChecker = keywords({
  now: {
    ...common,
    url: blockOf(url, { repeats: true }),
    virtualhost: one(anyWord),
    http_protocol: one(oneOf(['1.0', '1.0C', '1.1'])),
    enable_sni: choice,
    sni_name: one(anyWord),
    fast_recovery: choice,
    tls_compliant: choice,
  },
  oldNames,
});

const host = keywords({ now: common, never });
const helo = { helo_name: one(anyWord) };
const smtpChecker = keywords({
  now: { ...common, ...helo, host: blockOf(host, { repeats: true }) },
  never,
});

const dnsTypes = oneOf(['A', 'NS', 'CNAME', 'SOA', 'MX', 'TXT', 'AAAA']);
const dnsChecker = keywords({ now: { ...common, type: one(dnsTypes), name: one(anyWord) }, never });

const { timeout: _, ...scheduleOfScript } = schedule;
const miscChecker = keywords({
  now: {
    ...shapesOf(scheduleOfScript),
    misc_path: some(anyWord),
    misc_timeout: one(timer(1)),
    misc_dynamic: flag,
    user: keyword(argumentsOf({ required: [account], optional: [account] })),
  },
  never,
});

const udpChecker = keywords({
  now: {
    ...common,
    payload: some(hexDigits),
    require_reply: keyword(argumentsOf({ rest: hexDigits })),
    ...each(one(integer(0, 65_535)), 'min_reply_length max_reply_length'),
  },
  never,
});

const weight = integer(-2_147_483_647, 2_147_483_647);
const fileChecker = keywords({
  now: {
    track_file: one(anyWord),
    dynamic: flag,
    weight: keyword(argumentsOf({ required: [weight], options: { reverse: [] } })),
  },
});

const plainChecker = keywords({ now: common, never });
export const checkersLater: Shapes = {
  ...each(checkerShape(httpChecker), 'HTTP_GET SSL_GET'),
  SMTP_CHECK: checkerShape(smtpChecker),
  DNS_CHECK: checkerShape(dnsChecker),
  MISC_CHECK: checkerShape(miscChecker),
  PING_CHECK: checkerShape(plainChecker),
  UDP_CHECK: checkerShape(udpChecker),
  BFD_CHECK: checkerShape(keywords({ now: { name: one(anyWord) } })),
  FILE_CHECK: checkerShape(fileChecker),
};
