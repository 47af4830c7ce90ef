// What the verbs share: exit codes, where the configuration and the socket are, and how output is written.

import { existsSync } from 'node:fs';
import { type Command, CommanderError, Option } from 'commander';
import { type Diagnostic, formatDiagnostics } from '../config/index.js';
import { DirectorError } from '../errors.js';
import {
  type AdminClient,
  createAdminClient,
  type DiagnosticJson,
  RefusedError,
} from '../runtime/admin-client.js';
import { insteadOf } from './keepalived-options.js';

export const exitCodes = { done: 0, failed: 1, usage: 2, noDirector: 3 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export const defaultSocket = '/run/uvs/director.sock';
export const configFiles = ['/etc/uvs/director.conf', '/etc/keepalived/keepalived.conf'] as const;

/** Adds one verb to the program. */
export type AddVerb = (program: Command) => void;

/** A verb ends with this code; the message, where there is one, is already written. */
export class Exit extends Error {
  constructor(readonly code: ExitCode) {
    super(`exit ${code}`);
  }
}

export function socketOption(): Option {
  return new Option('--socket <path>', "the director's control socket")
    .default(defaultSocket)
    .env('UVS_SOCKET');
}

export function jsonOption(): Option {
  return new Option('--json', 'print JSON');
}

export function fileOption(): Option {
  return new Option('-f, --file <file>', `the configuration (default: ${configFiles.join(', else ')})`);
}

export function lenientOption(): Option {
  return new Option(
    '--lenient',
    'what is unknown, or would be served otherwise than written, warns instead of failing',
  );
}

export function werrorOption(): Option {
  return new Option('--werror', 'warnings and notices are errors');
}

export function directorConfigOption(): Option {
  return new Option('--director-config <file>', 'a file with the block director { } alone');
}

/** keepalived's option, under its names. */
export function configIdOption(): Option {
  return new Option(
    '-i, --config-id <id>',
    'what @ID lines compare with (default: the host name up to its first dot)',
  );
}

/** The first of the usual configurations that is there. */
export function findConfigFile(): string | undefined {
  return configFiles.find((path) => existsSync(path));
}

/** The configuration to read: `given`, else the first of the usual ones that is there. */
export function resolveConfigFile(given: string | undefined): string {
  const file = given ?? findConfigFile();
  if (file !== undefined) return file;
  throw new DirectorError(
    'CONFIG_UNREADABLE',
    `there is no configuration: neither ${configFiles.join(' nor ')} exists; name one with -f`,
  );
}

export function clientOf(options: { readonly socket: string }): AdminClient {
  return createAdminClient(options.socket);
}

export function print(text: string): void {
  process.stdout.write(text);
}

export function printError(text: string): void {
  process.stderr.write(text);
}

export function printJson(value: unknown): void {
  print(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** Diagnostics as they come back from a director. */
export function formatRemoteDiagnostics(diagnostics: readonly DiagnosticJson[]): string {
  return formatDiagnostics(
    diagnostics.map(({ severity, code, message, help, file, line, column, length, sourceLine }) => ({
      severity: severity as Diagnostic['severity'],
      code: code as Diagnostic['code'],
      message,
      help,
      origin: { file, line, column, length },
      sourceLine,
    })),
  );
}

/** Says on stderr what went wrong, and gives the exit code for it. Diagnostics of its own file a director has written already. */
export function reportFailure(error: unknown): ExitCode {
  if (error instanceof Exit) return error.code;
  // commander has written its own message.
  if (error instanceof CommanderError) {
    const instead = insteadOf(error.message);
    if (instead !== undefined) printError(`${instead}\n`);
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  }
  if (error instanceof RefusedError) printError(formatRemoteDiagnostics(error.diagnostics));
  printError(`director: ${error instanceof Error ? error.message : String(error)}\n`);
  if (error instanceof DirectorError) printError(causeText(error));
  else if (error instanceof Error) printError(`${error.stack}\n`);
  return error instanceof DirectorError && error.code === 'NO_DIRECTOR'
    ? exitCodes.noDirector
    : exitCodes.failed;
}

/** What lies behind an error, where its message doesn't say it already. */
function causeText({ message, cause }: DirectorError): string {
  return cause instanceof Error && !message.includes(cause.message) ? `  because: ${cause.message}\n` : '';
}
