// keepalived.conf text to DirectorConfig or diagnostics:
//   texts → include → preprocess (@id, ~SEQ, $VAR) → lexer → parser (grammar) → meaning (blocks/*) → DirectorConfig
// No I/O, clock or randomness of its own: files and surroundings are handed in. Any text is answered; nothing throws.

import type { DirectorConfig } from '../model/director-config.js';
import { asErrors, type Diagnostic } from './diagnostic.js';
import type { ReadFiles } from './glob.js';
import { rootBlock } from './grammar/root.js';
import { readLines } from './include.js';
import { readMeaning } from './meaning.js';
import { createParser, finishParsing, parseLine } from './parser.js';
import { createPreprocessor, finishPreprocessing } from './preprocess.js';
import { createReport } from './report.js';
import { type ConfigSum, sumOf } from './sum.js';
import { type Environment, emptyEnvironment } from './variables.js';

export { codes, type DiagnosticCode, type Severity } from './codes.js';
export {
  asErrors,
  type Diagnostic,
  type DiagnosticOrigin,
  diagnosticJson,
  formatDiagnostic,
  formatDiagnostics,
} from './diagnostic.js';
export { type FileSystem, type IncludedFile, type ReadFiles, readFilesFrom } from './glob.js';
export { maxIncludedFiles } from './include.js';
export { type PrintOptions, printConfig } from './print.js';
export { type ConfigSum, sumOf } from './sum.js';
export type { Environment } from './variables.js';

export type ParseRequest = {
  /** The name that diagnostics show, and from whose directory relative includes start. */
  readonly file: string;
  readonly text: string;
  /** A second text with the block `director { }` alone (`--director-config`). */
  readonly directorConfig?: { readonly file: string; readonly text: string } | undefined;
  /** Without it no include finds a file. */
  readonly readFiles?: ReadFiles | undefined;
  readonly environment?: Environment | undefined;
  /** What `@id` compares with; keepalived's default is the first label of the host name. */
  readonly configId?: string | undefined;
  /** Unknown keywords, and what would be served in another way than written, warn instead of failing. */
  readonly lenient?: boolean | undefined;
  /** `--werror`: warnings and notices count as errors. */
  readonly warningsAreErrors?: boolean | undefined;
};

/** `config` is there if and only if no diagnostic is an error. */
export type ParseResult = {
  readonly config: DirectorConfig | undefined;
  /** What could be made out, mistakes or not. */
  readonly sum: ConfigSum;
  readonly diagnostics: readonly Diagnostic[];
};

export function parseConfig(request: ParseRequest): ParseResult {
  const { file, text, directorConfig, readFiles = () => [], configId = '', lenient = false } = request;
  const report = createReport(lenient);
  const parser = createParser(report, rootBlock);
  const environment = request.environment ?? emptyEnvironment;
  const preprocessor = createPreprocessor(report, environment, configId, (words) => parseLine(parser, words));
  const texts = directorConfig === undefined ? [{ file, text }] : [{ file, text }, directorConfig];
  readLines(texts, preprocessor, readFiles);
  finishPreprocessing(preprocessor);
  const root = finishParsing(parser);
  const config = readMeaning(root, report);
  const found = report.finish();
  const diagnostics = request.warningsAreErrors ? asErrors(found) : found;
  const isRefused = diagnostics.some(({ severity }) => severity === 'error');
  return { config: isRefused ? undefined : config, sum: sumOf(config), diagnostics };
}
