// Where a configuration comes from (a file, a text, a value): files by config-files.ts, meaning in src/config.
// A value goes through the same checks as a file: it is printed and read again.

import { hostname } from 'node:os';
import { resolve } from 'node:path';
import {
  type Diagnostic,
  type ParseRequest,
  parseConfigInSlices,
  printConfig,
  readFilesFrom,
} from '../config/index.js';
import { DirectorError } from '../errors.js';
import type { DirectorConfig } from '../model/director-config.js';
import { type Clock, nextTurn, systemClock } from './clock.js';
import { ConfigFiles, type ConfigLimits } from './config-files.js';

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
    const request = await readSource(source, options, clock);
    return parseConfigInSlices(request, () => nextTurn(clock));
  };
}

/** What to call a source in logs and answers. */
export function sourceName(source: ConfigSource): string {
  if ('configFile' in source) return resolve(source.configFile);
  return 'configText' in source ? 'text' : 'value';
}

/** The request for src/config, with all files read. Throws CONFIG_UNREADABLE. */
export async function readSource(
  source: ConfigSource,
  options: ReadOptions,
  clock: Clock = systemClock,
  limits: Partial<ConfigLimits> = {},
): Promise<ParseRequest> {
  const files = new ConfigFiles(limits);
  const { directorConfigFile } = options;
  const directorConfig =
    directorConfigFile === undefined
      ? undefined
      : { file: directorConfigFile, text: await files.text(directorConfigFile) };
  const main = await mainText(source, files);
  const draw = replayed(Math.random);
  const request = (): ParseRequest => ({
    ...main,
    directorConfig,
    readFiles: readFilesFrom(files.system),
    environment: { variables: process.env, random: draw(), workingDirectory: process.cwd() },
    configId: options.configId ?? hostname().split('.')[0] ?? '',
    lenient: options.lenient,
    warningsAreErrors: options.werror,
  });
  if (/\binclude/.test(`${main.text}${directorConfig?.text ?? ''}`)) {
    await files.settle(() => parseConfigInSlices(request(), () => nextTurn(clock)));
  }
  return request();
}

/** Chance that falls the same way each time the configuration is parsed: an include may be named by it. */
function replayed(random: () => number): () => () => number {
  const drawn: number[] = [];
  return () => {
    let next = 0;
    return () => {
      const value = drawn[next] ?? random();
      drawn[next] = value;
      next += 1;
      return value;
    };
  };
}

async function mainText(source: ConfigSource, files: ConfigFiles): Promise<{ file: string; text: string }> {
  if ('configFile' in source) return { file: source.configFile, text: await files.text(source.configFile) };
  if ('configText' in source) return { file: '(text)', text: source.configText };
  try {
    return { file: '(value)', text: printConfig(source.config) };
  } catch (cause) {
    const message = `the value given as \`config\` is no configuration: ${(cause as Error).message}`;
    throw new DirectorError('CONFIG_INVALID', message, { cause });
  }
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
