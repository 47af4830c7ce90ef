// `director connections`: the connection table in ipvsadm's form, page by page.

import { connectionsHead, formatConnections, numericName } from '../ipvsadm/listing.js';
import { maxPageSize } from '../runtime/admin-api.js';
import type { ConnectionPage, ConnectionRecord } from '../runtime/views.js';
import { type AddVerb, clientOf, jsonOption, print, printJson, socketOption } from './command.js';
import { resolveNames } from './names.js';

type Options = { readonly socket: string; readonly json?: true; readonly numeric?: true };

export const addConnections: AddVerb = (program) => {
  program
    .command('connections')
    .description("print the connections, in ipvsadm's form")
    .option('-n, --numeric', 'numbers instead of names of hosts and ports')
    .addOption(socketOption())
    .addOption(jsonOption())
    .action(connections);
};

async function connections(options: Options): Promise<void> {
  if (options.json) {
    const all: ConnectionRecord[] = [];
    for await (const page of pages(options)) all.push(...page);
    return printJson({ connections: all });
  }
  let isFirst = true;
  for await (const page of pages(options)) {
    // Not before there is an answer: an empty table is one.
    if (isFirst) print(connectionsHead);
    isFirst = false;
    const endpoints = page.flatMap((connection) => [
      connection.client,
      connection.virtual,
      connection.destination,
    ]);
    print(formatConnections(page, options.numeric ? numericName : await resolveNames(endpoints)));
  }
}

async function* pages(options: Options): AsyncGenerator<readonly ConnectionRecord[], void> {
  const client = clientOf(options);
  let after = '';
  for (;;) {
    const page = (await client.get(`/v1/connections?limit=${maxPageSize}${after}`)) as ConnectionPage;
    yield page.connections;
    if (page.next === undefined) return;
    after = `&after=${page.next}`;
  }
}
