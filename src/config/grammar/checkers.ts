// Form of the checkers that stand in real_server, and of their settings. TCP_CHECK comes first: it is the one that
// "stands inside …" names for a setting that all of them share.

import {
  argumentsOf,
  blockOf,
  blocksOf,
  choice,
  each,
  flag,
  keyword,
  keywords,
  one,
  type Shapes,
  some,
} from '../shapes.js';
import {
  account,
  address,
  anyWord,
  hexDigits,
  integer,
  oneOf,
  port,
  timer,
  type ValueKind,
} from '../values.js';

const maxUnsigned = 4_294_967_295;
const retry = one(integer(0, maxUnsigned));

/** Settings that virtual_server and real_server hand down to the checkers; `alpha` of a real_server can be off. */
export const inheritedShapes: Shapes = {
  connect_timeout: one(timer(1, maxUnsigned)),
  retry,
  delay_before_retry: one(timer()),
  delay_loop: one(timer(1)),
  warmup: one(timer()),
  alpha: flag,
};

const scheduleShapes: Shapes = {
  retry,
  delay_before_retry: one(timer()),
  delay_loop: one(timer(1)),
  warmup: one(timer()),
  ...each(choice, 'alpha log_all_failures'),
};

const connectionShapes: Shapes = {
  connect_ip: one(address),
  connect_port: one(port),
  bindto: one(address),
  bind_if: one(anyWord),
  bind_port: one(port),
  connect_timeout: one(timer(1, maxUnsigned)),
  fwmark: one(integer(0, maxUnsigned)),
};

const oldNames = { nb_get_retry: 'retry' };
/** Outside HTTP_GET and SSL_GET no keepalived has ever known it. */
const never: Shapes = {
  nb_get_retry: keyword(argumentsOf({ required: [integer(0, maxUnsigned)] }), {
    remark: 'keepalived does not know it here, and retries once',
    remedy: 'write retry NUMBER for more',
  }),
};
const common: Shapes = { ...connectionShapes, ...scheduleShapes };

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

const miscChecker = keywords({
  now: {
    ...scheduleShapes,
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
const checker = (block: typeof plainChecker) =>
  blocksOf(argumentsOf({}), block, { remark: checkerRemark, movesTraffic: true });
const checkerRemark = 'a server with no other check counts as always up';

export const checkersNow: Shapes = { TCP_CHECK: checker(plainChecker) };

export const checkersLater: Shapes = {
  ...each(checker(httpChecker), 'HTTP_GET SSL_GET'),
  SMTP_CHECK: checker(smtpChecker),
  DNS_CHECK: checker(dnsChecker),
  MISC_CHECK: checker(miscChecker),
  PING_CHECK: checker(plainChecker),
  UDP_CHECK: checker(udpChecker),
  BFD_CHECK: checker(keywords({ now: { name: one(anyWord) } })),
  FILE_CHECK: checker(fileChecker),
};
