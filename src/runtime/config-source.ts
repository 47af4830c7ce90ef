// Where a configuration comes from (a file, a text, a value) and how it is read: files here, meaning in src/config.
// A value goes through the same checks as a file: it is printed and read again.

import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import {
  type Diagnostic,
  type Environment,
  type FileSystem,
  type ParseRequest,
  parseConfigInSlices,
  printConfig,
  readFilesFrom,
} from '../config/index.js';
import { DirectorError } from '../errors.js';
import type { DirectorConfig } from '../model/director-config.js';
import { decodeText } from '../model/text.js';
import { type Clock, nextTurn } from './clock.js';

export { type Diagnostic, diagnosticJson, formatDiagnostics } from '../config/index.js';

export type ConfigSource =
  | { readonly config: DirectorConfig }
  | { readonly configFile: string }
  | { readonly configText: string };

export type ReadOptions = {
  /** Unknown keywords warn instead of failing. */
  readonly lenient?: boolean | undefined;
  /** Warnings and notices count as errors. */
  readonly werror?: boolean | undefined;
  /** A file with the block `director { }` alone. */
  readonly directorConfigFile?: string | undefined;
  /** What `@id` lines compare with; default: the first label of the host name. */
  readonly configId?: string | undefined;
};

/** `config` is there if and only if no diagnostic is an error. */
export type LoadedConfig = {
  readonly config: DirectorConfig | undefined;
  readonly diagnostics: readonly Diagnostic[];
};

export type LoadConfig = (source: ConfigSource) => Promise<LoadedConfig>;

/** A configuration with errors; `diagnostics` has all of them, and the warnings. */
export class ConfigError extends DirectorError {
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
    super('CONFIG_INVALID', `the configuration has ${counted(errors.length, 'error')}${firstOf(errors)}`);
  }
}

/** Reads sources in slices on `clock`. Throws CONFIG_UNREADABLE when a file can't be read. */
export function createConfigLoader(options: ReadOptions, clock: Clock): LoadConfig {
  return async (source) => {
    const request = await readSource(source, options);
    return parseConfigInSlices(request, () => nextTurn(clock));
  };
}

/** What to call a source in logs and answers. */
export function sourceName(source: ConfigSource): string {
  if ('configFile' in source) return resolve(source.configFile);
  return 'configText' in source ? 'text' : 'value';
}

/** The request for src/config, with all texts but the included ones read. */
export async function readSource(source: ConfigSource, options: ReadOptions): Promise<ParseRequest> {
  const { directorConfigFile } = options;
  const directorConfig =
    directorConfigFile === undefined
      ? undefined
      : { file: directorConfigFile, text: await readText(directorConfigFile) };
  return {
    ...(await mainText(source)),
    directorConfig,
    readFiles: readFilesFrom(fileSystem),
    environment: processEnvironment(),
    configId: options.configId ?? hostname().split('.')[0] ?? '',
    lenient: options.lenient,
    warningsAreErrors: options.werror,
  };
}

async function mainText(source: ConfigSource): Promise<{ file: string; text: string }> {
  if ('configFile' in source) return { file: source.configFile, text: await readText(source.configFile) };
  if ('configText' in source) return { file: '(text)', text: source.configText };
  try {
    return { file: '(value)', text: printConfig(source.config) };
  } catch (cause) {
    const message = `the value given as \`config\` is no configuration: ${(cause as Error).message}`;
    throw new DirectorError('CONFIG_INVALID', message, { cause });
  }
}

async function readText(file: string): Promise<string> {
  try {
    return decodeText(await readFile(file));
  } catch (cause) {
    throw new DirectorError('CONFIG_UNREADABLE', `can't read ${file}: ${reasonOf(cause)}`, { cause });
  }
}

const fileSystem: FileSystem = {
  list: (directory) => {
    try {
      return readdirSync(directory);
    } catch {
      return undefined;
    }
  },
  read: (file) => {
    try {
      return { text: decodeText(readFileSync(file)) };
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : { problem: reasonOf(error) };
    }
  },
};

function processEnvironment(): Environment {
  return { variables: process.env, random: Math.random, workingDirectory: process.cwd() };
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
};

function reasonOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return reasons[code] ?? message;
}

function firstOf(errors: readonly Diagnostic[]): string {
  const [first] = errors;
  if (first === undefined) return '';
  const { file, line, column } = first.origin;
  return `${errors.length === 1 ? '' : ', first'}: ${file}:${line}:${column}: ${first.message}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
