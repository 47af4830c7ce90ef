// keepalived's options on `director run`, as fingers and units have them: taken where they mean what is done anyway, refused
// with the word to use where they don't.

import { Option } from 'commander';

/** What is always so, or has no counterpart that anybody misses. */
const taken = [
  ['-n, --dont-fork', 'it runs in the foreground'],
  ['-l, --log-console', 'it logs to standard output'],
  ['-D, --log-detail', 'it logs every change'],
  ['-G, --no-syslog', 'it writes to no syslog'],
  ['-R, --dont-respawn', 'there is one process'],
] as const;

const refused: readonly (readonly [options: readonly string[], instead: string])[] = [
  [['--use-file'], '-f FILE'],
  [['-t', '--config-test'], 'director check -f FILE'],
  [['-d', '--dump-conf'], 'director check --print -f FILE'],
  [['-v'], 'director --version'],
  [['--signum'], 'the signals are USR1 (data) and USR2 (stats); director list and director status say more'],
  [
    ['-P', '--vrrp', '-C', '--check', '-B', '--no_bfd', '--all'],
    'one process does both: leave out the blocks that another program has',
  ],
  [
    ['-r', '--vrrp_pid', '-c', '--checkers_pid', '-b', '--bfd_pid'],
    'there is one process: -p FILE names its pid file',
  ],
  [['-S', '--log-facility'], 'it logs to standard output: SyslogFacility= in the unit, or logger(1)'],
  [
    ['-X', '--release-vips', '-V', '--dont-release-vrrp', '-I', '--dont-release-ipvs'],
    'TERM stops and removes what is ours, QUIT stops for a restart and keeps it',
  ],
  [['-s', '--namespace'], 'ip netns exec NAME director run'],
  [['-x', '--snmp', '-A', '--snmp-agent-socket'], 'metrics ADDRESS:PORT in director { } (Prometheus)'],
  [['-u', '--umask'], 'UMask= in the unit'],
  [['-m', '--core-dump', '-M', '--core-dump-pattern'], 'LimitCORE= in the unit'],
  [['-a', '--address-monitoring'], 'addresses that leave or come are logged anyway'],
  [['-e', '--all-config'], 'include_check readable, in the configuration'],
  [['-T', '--genhash'], 'curl -s URL | md5sum'],
];

/** Taken by `director run`, and not shown by its help. */
export function keepalivedOptions(): Option[] {
  return taken.map(([flags, why]) => new Option(flags, why).hideHelp());
}

/** What to write instead of the option that commander does not know; undefined when keepalived has none of that name. */
export function insteadOf(message: string): string | undefined {
  const option = /unknown option '(--?[\w-]+)/.exec(message)?.[1];
  if (option === undefined) return undefined;
  const instead = refused.find(([options]) => options.includes(option))?.[1];
  if (instead !== undefined) return `${option} is keepalived's: ${instead}`;
  const isTaken = taken.some(([flags]) => flags.split(', ').includes(option));
  return isTaken || ['-f', '-p', '--pid', '-i'].includes(option)
    ? `options follow a verb: director run ${option} …`
    : undefined;
}
