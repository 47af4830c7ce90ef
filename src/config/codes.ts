// Every diagnostic code with its severity and meaning, as data. Codes are stable: scripts match on them.
// docs/config.md carries the same table, and a test keeps the two equal.

export type Severity = 'error' | 'warning' | 'notice';

export type CodeEntry = {
  readonly severity: Severity;
  readonly meaning: string;
  /** An error that --lenient makes a warning. */
  readonly isLenient?: true;
};

const error = (meaning: string): CodeEntry => ({ severity: 'error', meaning });
/** With `--lenient` a warning. */
const strictError = (meaning: string): CodeEntry => ({
  severity: 'error',
  meaning: `${meaning} (a warning with --lenient)`,
  isLenient: true,
});
const warning = (meaning: string): CodeEntry => ({ severity: 'warning', meaning });
const notice = (meaning: string): CodeEntry => ({ severity: 'notice', meaning });

export const codes = {
  // Text and braces.
  'unclosed-quote': error('a quote that no second quote closes on the same line'),
  'full-width': error('a full-width or typographic character where keepalived has an ASCII one'),
  'slash-comment': error('`//` used as a comment sign, where it is read as something else; `#` and `!` are'),
  'slash-ignored': warning('`//` used as a comment sign behind a complete setting, where it is ignored'),
  'not-utf-8': notice('a file that is not UTF-8; its bytes are taken as they are'),
  'utf-16': error('a file in UTF-16, of which nothing is read'),
  template: error('`{{ … }}` or `{% … %}`: a template that was not filled in; nothing behind it is read'),
  'line-too-long': error('a line beyond 65,536 characters'),
  'unclosed-block': error('a block that is never closed, or only after the next one has begun'),
  'unmatched-brace': error('a `}` that closes nothing'),
  'unexpected-brace': error('a `{` where no block can begin'),
  'missing-block': error('a keyword that needs `{ }` stands without'),
  // Keywords and values.
  'unknown-keyword': strictError('a word that is no keyword at all'),
  'misplaced-keyword': strictError('a keyword of another block'),
  'missing-value': error('a keyword without the value it needs'),
  'invalid-value': error('a value of the wrong form'),
  'out-of-range': error('a number outside its range'),
  'invalid-address': error('no IPv4 or IPv6 address'),
  'invalid-mask': error('a prefix length or mask that the address cannot have'),
  'extra-words': warning('words after the last value, which are ignored'),
  'duplicate-keyword': warning(
    'a keyword given twice in one block; the text says which one counts, as in keepalived',
  ),
  'duplicate-block': error('a block that may stand once stands twice'),
  // Includes, variables, generators.
  'include-missing': warning('an include that matches no file (an error when a strict variant asks for it)'),
  'include-unreadable': warning(
    'an included file that cannot be read (an error when a strict variant asks for it)',
  ),
  'include-cycle': error('a file that includes itself, directly or through others'),
  'include-limit': error('more included files, or deeper ones, than the limit'),
  'invalid-definition': error('a `$NAME=value` line that is not well formed'),
  'invalid-generator': error('a `~SEQ` or `~LST` that is not well formed'),
  'expansion-limit': error('variables or generators that expand beyond the limit'),
  // Meaning.
  'family-mismatch': error('IPv4 and IPv6 mixed where the two ends must be of one family'),
  'duplicate-service': error('two virtual servers with one protocol, address and port'),
  'duplicate-server': error('two real servers with one address and port in a service'),
  'duplicate-address': warning('a static address that stands twice on one device; the first one counts'),
  'duplicate-network': error('a network whose clients are both allowed and denied'),
  'duplicate-name': error(
    'two blocks of one kind with one name (a warning for scripts and files: the first one counts)',
  ),
  'unknown-name': error(
    'a virtual router that no block defines; a warning for a script or file, which is then not tracked',
  ),
  'duplicate-router': error('two virtual routers with one virtual_router_id, device and family'),
  'left-out': warning('a script or tracked file without what it needs; whoever tracks it goes without'),
  'missing-setting': error('a block without a keyword that it needs'),
  'no-addresses': warning('a virtual router without a virtual address'),
  'strict-mode': warning('what strict_mode has no room for; the text says whether it is taken'),
  'no-script-user': warning('scripts for which no user is named'),
  'lonely-group': warning('a sync group with fewer than two virtual routers'),
  'mixed-owners': warning('a sync group in which some own their addresses (priority 255) and others do not'),
  'mixed-states': warning('a sync group whose virtual routers have different states; all begin as BACKUP'),
  'two-groups': warning('a virtual router in two sync groups; the first one counts'),
  'invalid-interval': error('an advert interval that the version of VRRP cannot carry'),
  'interval-rounded': notice('an advert interval that is no multiple of 10 ms, as version 3 wants it'),
  'auth-cut': warning('a password longer than the eight bytes of an advert; the first eight count'),
  'auth-ignored': warning('authentication that the version of VRRP does not have, or half of one'),
  'other-family': warning('a virtual address of another family than the first, which stands in no advert'),
  'default-protocol': warning('a virtual server without `protocol`, which makes it UDP'),
  'default-taken': notice(
    'a virtual server without a scheduler or forwarding method, or a master without a priority; the default is taken',
  ),
  'port-missing': error('a checker of a server of every port that names no port'),
  'port-ignored': warning(
    'a real server port that differs from the service’s under DR or TUN, which cannot map ports',
  ),
  'loopback-server': warning('NAT to a loopback address at another port than the service’s'),
  'sorry-port-ignored': warning('a sorry server port that differs from the service’s under DR or TUN'),
  'open-family': notice(
    'clients of one address family are allowed by name, and those of the other all come in',
  ),
  'quorum-unreachable': warning('a quorum that no set of servers can reach'),
  'hysteresis-too-large': warning('a hysteresis that is not below the quorum'),
  'no-real-servers': warning('a virtual server without real servers, which is left out as in keepalived'),
  'as-keepalived': notice('what does not mean what it seems to say, and is taken as keepalived takes it'),
  'value-replaced': warning('a value that is not taken; the text says which one is, as in keepalived'),
  differs: notice('what has another effect than in keepalived, where a file is likely to count on that'),
  'no-effect': warning('a setting that cannot do anything where it stands'),
  'nopreempt-master': warning('`nopreempt` together with `state MASTER`'),
  'not-in-effect-yet': warning(
    'a block or keyword that uvs reads but does not act on yet; named once per kind',
  ),
  'not-as-written': strictError(
    'what changes who gets traffic and is not in effect yet, so the service would be served in another way',
  ),
  'service-left-out': strictError(
    'a virtual server that needs something uvs does not do yet, so it would not be served',
  ),
  'old-name': notice('the old name of a keyword, which is taken'),
  'without-effect': notice('an old keyword that no longer does anything'),
  // The list of diagnostics itself.
  'too-many-errors': error(
    '100 errors were found, or one came again 1,000 times; the rest of the text was not looked at',
  ),
  'more-warnings': notice('further warnings and notices were counted, but not listed'),
} as const satisfies Record<string, CodeEntry>;

export type DiagnosticCode = keyof typeof codes;
