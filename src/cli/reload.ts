// `director reload`: has the running director read its configuration again, and says what changed.

import type { DiagnosticJson } from '../runtime/admin-client.js';
import {
  type AddVerb,
  clientOf,
  formatRemoteDiagnostics,
  jsonOption,
  print,
  printError,
  printJson,
  socketOption,
} from './command.js';

type Options = { readonly socket: string; readonly json?: true };

type Answer = {
  readonly generation: number;
  readonly changes: readonly string[];
  readonly diagnostics: readonly DiagnosticJson[];
};

export const addReload: AddVerb = (program) => {
  program
    .command('reload')
    .description('read the configuration again; a bad one changes nothing')
    .addOption(socketOption())
    .addOption(jsonOption())
    .action(reload);
};

async function reload(options: Options): Promise<void> {
  const answer = (await clientOf(options).post('/v1/reload')) as Answer;
  if (options.json) return printJson(answer);
  printError(formatRemoteDiagnostics(answer.diagnostics));
  for (const change of answer.changes) print(`${change}\n`);
  const what = answer.changes.length === 0 ? 'nothing has changed' : 'in force';
  print(`generation ${answer.generation}: ${what}\n`);
}
