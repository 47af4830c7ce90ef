// `director save`: writes down the configuration in force, with what was changed at run time, in the language of the file. A file
// is replaced as a whole: comments and includes of the one before are not in it.

import { existsSync, realpathSync } from 'node:fs';
import type { DirectorConfig } from '../model/director-config.js';
import { writeDump } from '../runtime/dumps/dump-file.js';
import { type AddVerb, clientOf, jsonOption, print, printError, printJson, socketOption } from './command.js';

type Options = { readonly socket: string; readonly json?: true };

export const addSave: AddVerb = (program) => {
  program
    .command('save')
    .description('write down the configuration in force, with what was changed at run time')
    .argument('[file]', 'where to; default: standard output')
    .addOption(socketOption())
    .addOption(jsonOption())
    .action(save);
};

async function save(file: string | undefined, options: Options): Promise<void> {
  const answer = (await clientOf(options).get('/v1/config')) as { text: string; config: DirectorConfig };
  const { leftOut, virtualServers } = answer.config;
  for (const { name } of leftOut) printError(`not served, so not written: ${name}\n`);
  for (const { notAsWritten } of virtualServers)
    if (notAsWritten.length > 0) printError(`not in effect, so not written: ${notAsWritten.join(', ')}\n`);
  if (file === undefined) return options.json ? printJson(answer) : print(answer.text);
  // A link stays one, and what it leads to is replaced.
  await writeDump(existsSync(file) ? realpathSync(file) : file, answer.text);
}
