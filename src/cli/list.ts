// `director list`: the services in force, in ipvsadm's form.

import {
  formatLeftOut,
  formatServices,
  formatTimeouts,
  formatVersionLine,
  type ListingKind,
  numericName,
} from '../ipvsadm/listing.js';
import { readServices } from '../runtime/admin-client.js';
import type { DirectorStatus, ServiceView } from '../runtime/views.js';
import { type AddVerb, clientOf, jsonOption, print, printJson, socketOption } from './command.js';
import { nameServices } from './names.js';

export type ListOptions = {
  readonly socket: string;
  readonly json?: true;
  readonly numeric?: true;
  readonly stats?: true;
  readonly rate?: true;
  readonly thresholds?: true;
  readonly persistentConn?: true;
  readonly exact?: true;
  readonly timeout?: true;
  /** `--nosort` makes it false, `--sort` true. */
  readonly sort: boolean;
};

export const addList: AddVerb = (program) => {
  program
    .command('list')
    .description("print the services in force, in ipvsadm's form")
    .option('-n, --numeric', 'numbers instead of names of hosts and ports')
    .option('--stats', 'counters of connections, packets and bytes')
    .option('--rate', 'rates per second')
    .option('--thresholds', 'upper and lower thresholds')
    .option('--persistent-conn', 'persistent connections')
    .option('--exact', 'counters and rates in full')
    .option('--timeout', 'the timeouts of connections')
    .option('--sort', 'sort by address and port', true)
    .option('--nosort', "the scheduler's order of visit")
    .addOption(socketOption())
    .addOption(jsonOption())
    .action(({ nosort, ...options }: ListOptions & { readonly nosort?: true }) =>
      list({ ...options, sort: nosort === undefined }),
    );
};

export async function list(options: ListOptions): Promise<void> {
  const client = clientOf(options);
  if (options.timeout) {
    const { timeouts } = (await client.get('/v1/status')) as Pick<DirectorStatus, 'timeouts'>;
    return options.json ? printJson(timeouts) : print(formatTimeouts(timeouts));
  }
  const answer = await client.get('/v1/services');
  if (options.json) return printJson(answer);
  const services = readServices(answer);
  const status = (await client.get('/v1/status')) as Pick<DirectorStatus, 'dataplane' | 'leftOut'>;
  const name = options.numeric ? numericName : await nameServices(services);
  print(formatVersionLine(status.dataplane.tableSize));
  const listing = { kind: kindOf(options), isExact: options.exact === true, isSorted: options.sort };
  const marked = services.map((service) => ({ ...service, marks: marksOf(service) }));
  print(`${formatServices(marked, listing, name)}${formatLeftOut(status.leftOut)}`);
}

function marksOf({ isDraining, isStandby, notAsWritten }: ServiceView): string[] {
  return [
    ...(isDraining ? ['removed, draining'] : []),
    ...(isStandby ? ['standby'] : []),
    ...(notAsWritten.length > 0 ? [`without ${notAsWritten.join(', ')}`] : []),
  ];
}

/** Of several kinds ipvsadm takes the first in this order. */
function kindOf(options: ListOptions): ListingKind {
  if (options.stats) return 'stats';
  if (options.rate) return 'rate';
  if (options.thresholds) return 'thresholds';
  return options.persistentConn ? 'persistent-conn' : 'plain';
}
