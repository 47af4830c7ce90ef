// The words of ipvsadm as tables: its commands, its options, and which command takes which. The order of `groups` decides
// what is complained of first, as there.

/** What ipvsadm counts as one option, under the name that it has in messages. */
export const groups = [
  'numeric',
  'connection',
  'service-address',
  'scheduler',
  'persistent',
  'netmask',
  'real-server',
  'forwarding-method',
  'weight',
  'u-threshold',
  'l-threshold',
  'mcast-interface',
  'timeout',
  'daemon',
  'stats',
  'rate',
  'thresholds',
  'persistent-conn',
  'nosort',
  'syncid',
  'exact',
  'ops',
  'pe',
  'sched-flags',
  'mcast-group',
  'mcast-port',
  'mcast-ttl',
  'sync-maxlen',
  'tun-info',
  'tun-type',
  'tun-port',
  'tun-nocsum',
  'tun-csum',
  'tun-remcsum',
] as const;
export type Group = (typeof groups)[number];

export type OptionWord = {
  readonly long: string;
  readonly short?: string;
  /** `maybe`: unless the next word begins with a dash. */
  readonly takes?: 'value' | 'maybe';
  /** undefined: counts for nothing. */
  readonly group?: Group;
};

const optionTable = [
  { long: 'tcp-service', short: 't', takes: 'value', group: 'service-address' },
  { long: 'udp-service', short: 'u', takes: 'value', group: 'service-address' },
  { long: 'sctp-service', takes: 'value', group: 'service-address' },
  { long: 'fwmark-service', short: 'f', takes: 'value', group: 'service-address' },
  { long: 'ipv6', short: '6' },
  { long: 'scheduler', short: 's', takes: 'value', group: 'scheduler' },
  { long: 'persistent', short: 'p', takes: 'maybe', group: 'persistent' },
  { long: 'netmask', short: 'M', takes: 'value', group: 'netmask' },
  { long: 'pe', takes: 'value', group: 'pe' },
  { long: 'ops', short: 'o', group: 'ops' },
  { long: 'sched-flags', short: 'b', takes: 'value', group: 'sched-flags' },
  { long: 'real-server', short: 'r', takes: 'value', group: 'real-server' },
  { long: 'gatewaying', short: 'g', group: 'forwarding-method' },
  { long: 'ipip', short: 'i', group: 'forwarding-method' },
  { long: 'masquerading', short: 'm', group: 'forwarding-method' },
  { long: 'weight', short: 'w', takes: 'value', group: 'weight' },
  { long: 'u-threshold', short: 'x', takes: 'value', group: 'u-threshold' },
  { long: 'l-threshold', short: 'y', takes: 'value', group: 'l-threshold' },
  { long: 'tun-type', takes: 'value', group: 'tun-type' },
  { long: 'tun-port', takes: 'value', group: 'tun-port' },
  { long: 'tun-nocsum', group: 'tun-nocsum' },
  { long: 'tun-csum', group: 'tun-csum' },
  { long: 'tun-remcsum', group: 'tun-remcsum' },
  { long: 'numeric', short: 'n', group: 'numeric' },
  { long: 'connection', short: 'c', group: 'connection' },
  { long: 'timeout', group: 'timeout' },
  { long: 'daemon', group: 'daemon' },
  { long: 'stats', group: 'stats' },
  { long: 'rate', group: 'rate' },
  { long: 'exact', group: 'exact' },
  { long: 'thresholds', group: 'thresholds' },
  { long: 'persistent-conn', group: 'persistent-conn' },
  { long: 'tun-info', group: 'tun-info' },
  { long: 'nosort', group: 'nosort' },
  { long: 'sort' },
  { long: 'mcast-interface', takes: 'value', group: 'mcast-interface' },
  { long: 'syncid', takes: 'value', group: 'syncid' },
  { long: 'sync-maxlen', takes: 'value', group: 'sync-maxlen' },
  { long: 'mcast-group', takes: 'value', group: 'mcast-group' },
  { long: 'mcast-port', takes: 'value', group: 'mcast-port' },
  { long: 'mcast-ttl', takes: 'value', group: 'mcast-ttl' },
] as const satisfies readonly OptionWord[];

export type OptionName = (typeof optionTable)[number]['long'];
export const optionWords: readonly (OptionWord & { readonly long: OptionName })[] = optionTable;

export type CommandWord = {
  readonly long: string;
  readonly shorts: readonly string[];
  /** What messages call it, where that is not `long`. */
  readonly name?: string;
  readonly needs: readonly Group[];
  readonly takes: readonly Group[];
  /** At most one of them. */
  readonly oneOf?: readonly Group[];
};

const serviceSettings = ['scheduler', 'persistent', 'netmask', 'ops', 'pe', 'sched-flags'] as const;
const serverSettings = [
  'forwarding-method',
  'weight',
  'u-threshold',
  'l-threshold',
  'tun-type',
  'tun-port',
  'tun-nocsum',
  'tun-csum',
  'tun-remcsum',
] as const;
const listings = [
  'numeric',
  'stats',
  'rate',
  'thresholds',
  'persistent-conn',
  'nosort',
  'syncid',
  'exact',
  'tun-info',
] as const;
const daemonSettings = ['syncid', 'mcast-group', 'mcast-port', 'mcast-ttl', 'sync-maxlen'] as const;
const oneServer = ['service-address', 'real-server'] as const;

const commandTable = [
  { long: 'add-service', shorts: ['A'], needs: ['service-address'], takes: serviceSettings },
  { long: 'edit-service', shorts: ['E'], needs: ['service-address'], takes: serviceSettings },
  { long: 'delete-service', shorts: ['D'], needs: ['service-address'], takes: [] },
  { long: 'clear', shorts: ['C'], name: 'flush', needs: [], takes: [] },
  { long: 'add-server', shorts: ['a'], needs: oneServer, takes: serverSettings },
  { long: 'edit-server', shorts: ['e'], needs: oneServer, takes: serverSettings },
  { long: 'delete-server', shorts: ['d'], needs: oneServer, takes: [] },
  {
    long: 'list',
    shorts: ['L', 'l'],
    needs: [],
    takes: listings,
    oneOf: ['connection', 'service-address', 'timeout', 'daemon'],
  },
  { long: 'zero', shorts: ['Z'], needs: [], takes: ['service-address'] },
  { long: 'save', shorts: ['S'], needs: [], takes: ['numeric'] },
  { long: 'restore', shorts: ['R'], needs: [], takes: [] },
  { long: 'set', shorts: [], needs: [], takes: [] },
  { long: 'start-daemon', shorts: [], needs: [], takes: ['mcast-interface', ...daemonSettings] },
  { long: 'stop-daemon', shorts: [], needs: [], takes: daemonSettings },
  { long: 'help', shorts: ['h'], needs: [], takes: groups },
  { long: 'version', shorts: ['v'], needs: [], takes: groups },
] as const satisfies readonly CommandWord[];

export type CommandName = (typeof commandTable)[number]['long'];
export const commandWords: readonly (CommandWord & { readonly long: CommandName })[] = commandTable;
