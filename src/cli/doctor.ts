// `director doctor`: what this machine lacks, or has set against us, with the remedy. Reads; changes nothing.

import type { Command } from 'commander';
import { parseConfig } from '../config/index.js';
import type { DirectorConfig } from '../model/director-config.js';
import { createAdminClient } from '../runtime/admin-client.js';
import { readSource } from '../runtime/config-source.js';
import {
  type AddVerb,
  Exit,
  exitCodes,
  fileOption,
  jsonOption,
  print,
  printJson,
  resolveConfigFile,
  socketOption,
} from './command.js';
import { examine, type Finding } from './doctor-checks.js';
import { thisMachine } from './machine.js';

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
  const config = await loadConfig(options.file);
  const isDirectorRunning = await answers(options.socket);
  const findings = examine(thisMachine, { config, isDirectorRunning });
  if (options.json) printJson({ findings });
  else print(formatFindings(findings));
  if (findings.some(({ level }) => level === 'error')) throw new Exit(exitCodes.failed);
}

/** One finding a paragraph: level, name, what was seen, and what to do. */
export function formatFindings(findings: readonly Finding[]): string {
  return findings
    .map(({ level, name, fact, remedy }) => {
      const head = `${level.padEnd(8)}${name.padEnd(16)}${fact}\n`;
      return remedy === undefined ? head : `${head}${' '.repeat(24)}→ ${remedy}\n`;
    })
    .join('');
}

/** Without a readable configuration the questions that depend on it are left out; `check` is for the rest. */
async function loadConfig(file: string | undefined): Promise<DirectorConfig | undefined> {
  if (file !== undefined) return parseConfig(await readSource({ configFile: file }, {})).config;
  try {
    return parseConfig(await readSource({ configFile: resolveConfigFile(undefined) }, {})).config;
  } catch {
    return undefined;
  }
}

async function answers(socket: string): Promise<boolean> {
  try {
    await createAdminClient(socket).get('/v1/status');
    return true;
  } catch {
    return false;
  }
}
