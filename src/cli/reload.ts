// `director reload`: has the running director read its configuration again, and says what changed. `director plan FILE`: says what
// would change, and changes nothing.

import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { counted } from '../model/units.js';
import type { DiagnosticJson } from '../runtime/admin-client.js';
import type { ReloadResult } from '../runtime/director.js';
import type { ReloadPlan } from '../runtime/reload-plan.js';
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

type Options = { readonly socket: string; readonly json?: true; readonly dropChanges?: true };

type Json<T> = Omit<T, 'diagnostics'> & { readonly diagnostics: readonly DiagnosticJson[] };

const dropChanges = () =>
  new Option(
    '--drop-changes',
    'undo what was changed at run time (by ipvsadm, by POST /v1/changes): it stays otherwise',
  );

export const addReload: AddVerb = (program) => {
  withOptions(
    program.command('reload').description('read the configuration again; a bad one changes nothing'),
  ).action(reload);
};

export const addPlan: AddVerb = (program) => {
  withOptions(
    program
      .command('plan')
      .description('what a reload would change if FILE were the configuration; changes nothing')
      .argument('<file>', 'the configuration to come'),
  ).action(plan);
};

function withOptions(command: Command): Command {
  return command.addOption(dropChanges()).addOption(socketOption()).addOption(jsonOption());
}

async function reload(options: Options): Promise<void> {
  const answer = (await clientOf(options).post('/v1/reload', bodyOf(options))) as Json<ReloadResult>;
  if (options.json) return printJson(answer);
  printError(formatRemoteDiagnostics(answer.diagnostics));
  for (const change of answer.changes) print(`${change}\n`);
  print(runTimeText(answer));
  const what = answer.changes.length === 0 ? 'nothing has changed' : 'in force';
  print(`generation ${answer.generation}: ${what}\n`);
}

async function plan(file: string, options: Options): Promise<void> {
  const body = { file: resolve(file), ...bodyOf(options) };
  const answer = (await clientOf(options).post('/v1/plan', body)) as Json<ReloadPlan>;
  if (options.json) return printJson(answer);
  printError(formatRemoteDiagnostics(answer.diagnostics));
  print(planText(answer));
}

function bodyOf({ dropChanges: isDropping }: Options) {
  return { runTimeChanges: isDropping ? 'drop' : 'keep' };
}

/** As `director plan` prints it. */
export function planText({
  changes,
  kept,
  undone,
  notAsWritten,
  leftOut,
}: Omit<ReloadPlan, 'diagnostics'>): string {
  const lines = changes.map(({ text, connections }) =>
    connections === undefined || connections === 0 ? text : `${text} (${counted(connections, 'connection')})`,
  );
  for (const { service, keywords } of notAsWritten)
    lines.push(`not as written: ${service} is served without ${keywords.join(', ')}`);
  for (const { name, reason } of leftOut) lines.push(`not served: ${name}: ${reason} is not in effect yet`);
  const what = changes.length === 0 ? 'nothing would change' : `${counted(changes.length, 'change')}`;
  return `${lines.map((line) => `${line}\n`).join('')}${runTimeText({ kept, undone })}${what}\n`;
}

function runTimeText({ kept, undone }: Pick<ReloadPlan, 'kept' | 'undone'>): string {
  return [
    ...kept.map((change) => `over the file, as changed at run time: ${change}\n`),
    ...undone.map((change) => `no longer in force: ${change}\n`),
  ].join('');
}
