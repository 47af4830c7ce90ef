// Where a configuration comes from (a file, a text, a value), and what comes of it.

import { resolve } from 'node:path';
import type { Diagnostic, ParseResult } from '../../config/index.js';
import { DirectorError } from '../../errors.js';
import type { DirectorConfig } from '../../model/director-config.js';
import { counted } from '../../model/units.js';

export { type Diagnostic, diagnosticJson, formatDiagnostics } from '../../config/index.js';

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

/** Throws CONFIG_UNREADABLE, also when `signal` ends it before it is done. */
export type LoadConfig = (source: ConfigSource, signal?: AbortSignal) => Promise<ParseResult>;

/** A configuration with errors; `diagnostics` has all of them, and the warnings. */
export class ConfigError extends DirectorError {
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
    super('CONFIG_INVALID', `the configuration has ${counted(errors.length, 'error')}${firstOf(errors)}`);
  }
}

/** What to call a source in logs and answers. */
export function sourceName(source: ConfigSource): string {
  if ('configFile' in source) return resolve(source.configFile);
  return 'configText' in source ? 'text' : 'value';
}

function firstOf(errors: readonly Diagnostic[]): string {
  const [first] = errors;
  if (first === undefined) return '';
  const { file, line, column } = first.origin;
  return `${errors.length === 1 ? '' : ', first'}: ${file}:${line}:${column}: ${first.message}`;
}
