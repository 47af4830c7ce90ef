// A source to a configuration or diagnostics, at once: reads its files, parses, waits for whatever does not answer.

import { type ParseResult, parseConfig, printConfig, readFilesFrom } from '../../config/index.js';
import { DirectorError } from '../../errors.js';
import { ConfigFiles, type FileLimits } from './files.js';
import type { ConfigSource, ReadOptions } from './source.js';

/** Everything that reading depends on, as plain data. */
export type ReadRequest = {
  readonly source: ConfigSource;
  readonly options: ReadOptions & { readonly configId: string };
  readonly limits?: Partial<FileLimits> | undefined;
};

/** Throws CONFIG_UNREADABLE when a file can't be read, CONFIG_INVALID when a value is none. `onRead`: see ConfigFiles. */
export function readSource(
  { source, options, limits }: ReadRequest,
  onRead?: (path: string | undefined) => void,
): ParseResult {
  const files = new ConfigFiles(limits, onRead);
  const { directorConfigFile } = options;
  return parseConfig({
    ...mainText(source, files),
    directorConfig:
      directorConfigFile === undefined
        ? undefined
        : { file: directorConfigFile, text: files.text(directorConfigFile) },
    readFiles: readFilesFrom(files),
    environment: { variables: process.env, random: Math.random, workingDirectory: process.cwd() },
    configId: options.configId,
    lenient: options.lenient,
    warningsAreErrors: options.werror,
  });
}

function mainText(source: ConfigSource, files: ConfigFiles): { file: string; text: string } {
  if ('configFile' in source) return { file: source.configFile, text: files.text(source.configFile) };
  if ('configText' in source) return { file: '(text)', text: source.configText };
  // A value goes through the same checks as a file.
  try {
    return { file: '(value)', text: printConfig(source.config) };
  } catch (cause) {
    throw notAConfiguration(cause);
  }
}

export function notAConfiguration(cause: unknown): DirectorError {
  const message = `the value given as \`config\` is no configuration: ${(cause as Error).message}`;
  return new DirectorError('CONFIG_INVALID', message, { cause });
}
