// `director doctor`: what this machine lacks, or has set against us, with the remedy. Reads; changes nothing.

import type { Command } from 'commander';
import type { DirectorConfig } from '../model/director-config.js';
import { createAdminClient } from '../runtime/admin-client.js';
import { createConfigLoader } from '../runtime/loading/loader.js';
import {
  type AddVerb,
  Exit,
  exitCodes,
  fileOption,
  findConfigFile,
  jsonOption,
  print,
  printJson,
  socketOption,
} from './command.js';
import { examine } from './doctor-checks.js';
import { type Finding, formatFindings, type Situation } from './finding.js';
import { thisMachine } from './machine.js';
import { scriptsThatRun, sumText } from './sum.js';

type Stats = {
  readonly passes: readonly { readonly reason: string; readonly count: string }[];
  readonly custody: Situation['custody'];
};
type Options = { readonly file?: string; readonly socket: string; readonly json?: true };

export const addDoctor: AddVerb = (program: Command) => {
  program
    .command('doctor')
    .description('what this machine lacks or has set against the director, with the remedy')
    .addOption(fileOption())
    .addOption(socketOption())
    .addOption(jsonOption())
    .action(doctor);
};

async function doctor(options: Options): Promise<void> {
  const { config, finding } = await loadConfig(options.file);
  const findings = [finding, ...examine(thisMachine, { config, ...(await askDirector(options.socket)) })];
  if (options.json) printJson({ findings });
  else print(formatFindings(findings));
  if (findings.some(({ level }) => level === 'error')) throw new Exit(exitCodes.failed);
}

/** Without a good configuration the questions that depend on it are left out; `check` is for the rest. */
async function loadConfig(
  given: string | undefined,
): Promise<{ readonly config: DirectorConfig | undefined; readonly finding: Finding }> {
  const file = given ?? findConfigFile();
  if (file === undefined) {
    const finding = {
      name: 'config',
      level: 'warning',
      fact: 'there is no configuration: what depends on it was not looked at',
      remedy: 'name one with -f',
    } as const;
    return { config: undefined, finding };
  }
  const { config, sum, diagnostics } = await createConfigLoader({})({ configFile: file });
  if (config !== undefined) {
    const fact = `${file} has no errors: ${sumText(sum, scriptsThatRun(config, thisMachine))}`;
    return { config, finding: { name: 'config', level: 'ok', fact } };
  }
  const count = diagnostics.filter(({ severity }) => severity === 'error').length;
  const finding = {
    name: 'config',
    level: 'error',
    fact: `${file} has ${count} error${count === 1 ? '' : 's'}: what depends on it was not looked at`,
    remedy: `director check -f ${file}`,
  } as const;
  return { config: undefined, finding };
}

async function askDirector(socket: string): Promise<Omit<Situation, 'config'>> {
  try {
    const { passes, custody } = (await createAdminClient(socket).get('/v1/stats')) as Stats;
    const tagged = passes.find(({ reason }) => reason === 'vlan_tagged')?.count ?? 0;
    return { isDirectorRunning: true, taggedFrames: BigInt(tagged), custody };
  } catch {
    return { isDirectorRunning: false };
  }
}
