// `director ipvsadm …`, and the programs ipvsadm, ipvsadm-save and ipvsadm-restore as links to it: asks the director for what a
// command line of ipvsadm means, and prints what ipvsadm prints. Each command is one transaction.

import { text as readAll } from 'node:stream/consumers';
import { changeOf, kernelWords, serviceIdOf } from '../ipvsadm/changes.js';
import type { AskedCommand } from '../ipvsadm/command.js';
import { helpText, restoreHelp, saveHelp, versionText } from '../ipvsadm/help.js';
import {
  connectionsHead,
  formatConnections,
  formatServices,
  formatTimeouts,
  formatVersionLine,
  inListedOrder,
  numericName,
} from '../ipvsadm/listing.js';
import { parseCommand } from '../ipvsadm/parse.js';
import { type RestoreLine, restoreLines } from '../ipvsadm/restore.js';
import { saveText } from '../ipvsadm/save.js';
import { Refusal } from '../ipvsadm/scan.js';
import { type Names, UnknownHost } from '../ipvsadm/values.js';
import type { DirectorConfig } from '../model/director-config.js';
import { serviceKey } from '../model/service-id.js';
import { maxPageSize } from '../runtime/admin-api.js';
import { type AdminClient, createAdminClient, RefusedError, readServices } from '../runtime/admin-client.js';
import type { ChangeRequest } from '../runtime/changes.js';
import { productVersion } from '../runtime/create-director.js';
import type { ConnectionPage, DirectorStatus } from '../runtime/views.js';
import { defaultSocket, print, printError, reportFailure } from './command.js';
import { LookedUp } from './looked-up.js';
import { nameServices, resolveNames } from './names.js';

export const ipvsadmPrograms = ['ipvsadm', 'ipvsadm-save', 'ipvsadm-restore'] as const;
export type IpvsadmProgram = (typeof ipvsadmPrograms)[number];

export function isIpvsadm(name: string | undefined): name is IpvsadmProgram {
  return ipvsadmPrograms.some((program) => program === name);
}

type Command<K extends AskedCommand['kind']> = Extract<AskedCommand, { readonly kind: K }>;

/**
 * `args` without the program's name; `--socket PATH` may stand first. Gives ipvsadm's exit code, or that of the other verbs where
 * no director answers.
 */
export async function runIpvsadm(
  program: IpvsadmProgram,
  args: readonly string[],
  readInput: () => Promise<string> = () => readAll(process.stdin),
): Promise<number> {
  const { socket, rest } = socketOf(args);
  const client = createAdminClient(socket);
  try {
    if (program === 'ipvsadm-save') return await saveProgram(client, rest);
    if (program === 'ipvsadm-restore') return await restoreProgram(client, rest, readInput);
    const names = new LookedUp();
    await execute(client, await names.during(() => commandOf(rest, names)), names, readInput);
    return 0;
  } catch (error) {
    if (!(error instanceof Refusal)) return reportFailure(error);
    printError(`${error.message}\n`);
    return error.code;
  }
}

function socketOf(args: readonly string[]): { readonly socket: string; readonly rest: readonly string[] } {
  const usual = process.env.UVS_SOCKET ?? defaultSocket;
  const [first = '', second] = args;
  if (first === '--socket' && second !== undefined) return { socket: second, rest: args.slice(2) };
  if (first.startsWith('--socket=')) return { socket: first.slice(9), rest: args.slice(1) };
  return { socket: usual, rest: args };
}

async function saveProgram(client: AdminClient, args: readonly string[]): Promise<number> {
  if (args.some((arg) => arg.startsWith('-') && arg !== '-n')) {
    printError(saveHelp);
    return 1;
  }
  await save(client, args.includes('-n'));
  return 0;
}

async function restoreProgram(
  client: AdminClient,
  args: readonly string[],
  readInput: () => Promise<string>,
): Promise<number> {
  if (args.length > 0) {
    printError(restoreHelp);
    return 1;
  }
  await restore(client, new LookedUp(), await readInput(), [{ kind: 'clear' }]);
  return 0;
}

function commandOf(args: readonly string[], names: Names): AskedCommand {
  const parsed = parseCommand(args, names);
  switch (parsed.kind) {
    case 'command':
      return parsed.command;
    case 'refused':
      throw new Refusal(parsed.message, parsed.code);
    case 'unknown-host':
      throw new UnknownHost(parsed.host);
    default:
      return parsed satisfies never;
  }
}

async function execute(
  client: AdminClient,
  command: AskedCommand,
  names: LookedUp,
  readInput: () => Promise<string>,
): Promise<void> {
  switch (command.kind) {
    case 'help':
      return print(helpText(productVersion()));
    case 'version':
      return print(versionText(productVersion()));
    case 'save':
      return save(client, command.isNumeric);
    case 'restore':
      return restore(client, names, await readInput(), []);
    case 'list':
      return list(client, command);
    default: {
      const change = changeOf(command);
      if (change !== undefined) await send(client, [change], () => undefined);
    }
  }
}

/** Where `change` stands in a list is its line; `lineOf` gives it, undefined for none. */
async function send(
  client: AdminClient,
  changes: readonly ChangeRequest[],
  lineOf: (index: number) => number | undefined,
): Promise<void> {
  try {
    await client.post('/v1/changes', changes);
  } catch (error) {
    if (!(error instanceof RefusedError) || error.code !== 'INVALID_CHANGE') throw error;
    const index = error.change;
    const words = index === undefined ? undefined : kernelWords(changes[index]?.kind, error.reason);
    // The place in the list is no place in a command line.
    const text = words ?? error.message.replace(/^changes\S*: /, '');
    const line = index === undefined ? undefined : lineOf(index);
    throw new Refusal(line === undefined ? text : `line ${line}: ${text}`, 255);
  }
}

/** All or nothing: a line that is refused leaves everything as it was. */
async function restore(
  client: AdminClient,
  names: LookedUp,
  input: string,
  first: readonly ChangeRequest[],
): Promise<void> {
  try {
    const lines: readonly RestoreLine[] = await names.during(() => restoreLines(input, names));
    const changes = [...first, ...lines.map(({ change }) => change)];
    if (changes.length > 0) await send(client, changes, (index) => lines[index - first.length]?.number);
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(`${error.message}; nothing was changed`, error.code);
    throw error;
  }
}

async function save(client: AdminClient, isNumeric: boolean): Promise<void> {
  const { config } = (await client.get('/v1/config')) as { config: DirectorConfig };
  const services = config.virtualServers
    .map((service) => ({ ...service, destinations: service.realServers }))
    .toSorted(inListedOrder.services)
    .map((service) => ({ ...service, realServers: service.realServers.toSorted(inListedOrder.endpoints) }));
  print(saveText(services, isNumeric ? numericName : await resolvePorts()));
}

/** Ports alone: what is restored later is not to depend on names of hosts. */
async function resolvePorts() {
  return resolveNames([]);
}

async function list(client: AdminClient, command: Command<'list'>): Promise<void> {
  switch (command.what) {
    case 'services':
      return listServices(client, command);
    case 'connections':
      return listConnections(client, command);
    case 'timeouts': {
      const { timeouts } = (await client.get('/v1/status')) as Pick<DirectorStatus, 'timeouts'>;
      return print(formatTimeouts(timeouts));
    }
    case 'daemons':
      // None runs.
      return;
    default:
      command.what satisfies never;
  }
}

async function listServices(client: AdminClient, command: Command<'list'>): Promise<void> {
  const asked = command.service === undefined ? undefined : serviceKey(serviceIdOf(command.service));
  const services = readServices(await client.get('/v1/services'))
    // What waits for its connections to end is gone for ipvsadm, as in the kernel.
    .filter(({ isDraining }) => !isDraining)
    .map((service) => ({
      ...service,
      destinations: service.destinations.filter(({ isRemoved }) => !isRemoved),
    }))
    .filter(({ id }) => asked === undefined || serviceKey(id) === asked);
  if (asked !== undefined && services.length === 0) throw new Refusal('No such service', 1);
  const name = command.isNumeric ? numericName : await nameServices(services);
  if (asked === undefined) {
    const { dataplane } = (await client.get('/v1/status')) as Pick<DirectorStatus, 'dataplane'>;
    print(formatVersionLine(dataplane.tableSize));
  }
  print(formatServices(services, command.listing, name));
}

async function listConnections(client: AdminClient, command: Command<'list'>): Promise<void> {
  let isFirst = true;
  let after = '';
  for (;;) {
    const page = (await client.get(`/v1/connections?limit=${maxPageSize}${after}`)) as ConnectionPage;
    if (isFirst) print(connectionsHead);
    isFirst = false;
    const ends = page.connections.flatMap(({ client: from, virtual, destination }) => [
      from,
      virtual,
      destination,
    ]);
    print(formatConnections(page.connections, command.isNumeric ? numericName : await resolveNames(ends)));
    if (page.next === undefined) return;
    after = `&after=${page.next}`;
  }
}
