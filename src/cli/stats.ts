// `director stats`: counters of all services in ipvsadm's form; with --json, verdicts and drop reasons, too.

import { type AddVerb, clientOf, jsonOption, printJson, socketOption } from './command.js';
import { type ListOptions, list } from './list.js';

type Options = Pick<ListOptions, 'socket' | 'json' | 'numeric' | 'rate' | 'exact'>;

export const addStats: AddVerb = (program) => {
  program
    .command('stats')
    .description("print the services' counters, in ipvsadm's form")
    .option('-n, --numeric', 'numbers instead of names of hosts and ports')
    .option('--rate', 'rates per second instead')
    .option('--exact', 'counters and rates in full')
    .addOption(socketOption())
    .addOption(jsonOption())
    .action(stats);
};

async function stats(options: Options): Promise<void> {
  if (options.json) return printJson(await clientOf(options).get('/v1/stats'));
  const kind = options.rate ? ({ rate: true } as const) : ({ stats: true } as const);
  return list({ ...options, ...kind, sort: true });
}
