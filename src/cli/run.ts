// `director run`: a director in the foreground, from start to signal. Everything it does is `createDirector`; here are
// the log, the signals and the service manager.

import { Option } from 'commander';
import { formatDiagnostics } from '../config/index.js';
import { createDirector, type DirectorOptions } from '../runtime/create-director.js';
import type { Director } from '../runtime/director.js';
import { createLog, type Log, type LogFormat, type LogLevel, logFormats, logLevels } from '../runtime/log.js';
import { createNotify, type Notify, reloadingLines } from '../runtime/sd-notify.js';
import { preferShortPauses } from '../runtime/short-pauses.js';
import { listenForSignals } from '../runtime/signals.js';
import {
  type AddVerb,
  configIdOption,
  directorConfigOption,
  Exit,
  exitCodes,
  fileOption,
  lenientOption,
  print,
  printError,
  resolveConfigFile,
  socketOption,
  werrorOption,
} from './command.js';

export type RunOptions = {
  readonly file?: string;
  readonly directorConfig?: string;
  readonly configId?: string;
  readonly socket: string;
  readonly lenient?: true;
  readonly werror?: true;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
};

/** The exit code of a process that was told twice to stop. */
const forcedExit = 130;

export const addRun: AddVerb = (program) => {
  program
    .command('run')
    .description('run a director in the foreground; HUP reloads, TERM and INT stop')
    .addOption(fileOption())
    .addOption(directorConfigOption())
    .addOption(configIdOption())
    .addOption(socketOption())
    .addOption(lenientOption())
    .addOption(werrorOption())
    .addOption(new Option('--log-format <format>', 'how to log').choices(logFormats).default('text'))
    .addOption(new Option('--log-level <level>', 'the least to log').choices(logLevels).default('info'))
    .action((options: RunOptions) => run(options));
};

/** Runs until a signal ends it. `parts` stands in for the machine in tests. */
export async function run(
  options: RunOptions,
  parts: Pick<DirectorOptions, 'dataplane' | 'network'> = {},
): Promise<void> {
  preferShortPauses();
  const log = createLog(options.logFormat, options.logLevel, print);
  const notify = createNotify();
  const configFile = resolveConfigFile(options.file);
  log.info('starting', { config: configFile, pid: process.pid });
  const director = createDirector(
    { configFile },
    {
      ...parts,
      log,
      socket: options.socket,
      lenient: options.lenient,
      werror: options.werror,
      directorConfigFile: options.directorConfig,
      configId: options.configId,
      ...(options.logFormat === 'text'
        ? { onDiagnostics: (diagnostics) => printError(formatDiagnostics(diagnostics)) }
        : {}),
    },
  );

  const end = watchForEnd(director, log, notify);
  try {
    const { generation } = await director.start();
    log.info('ready', { generation, socket: options.socket });
    notify('READY=1', `STATUS=${statusText(director)}`);
  } catch (error) {
    end.stopListening();
    // Asked to stop while starting: that is what happened.
    if (!end.isWanted()) throw error;
  }
  await end.reached;
  log.info('stopped');
  if (end.hasFailed()) throw new Exit(exitCodes.failed);
}

type End = {
  readonly reached: Promise<void>;
  readonly isWanted: () => boolean;
  /** The data plane could not go on. */
  readonly hasFailed: () => boolean;
  readonly stopListening: () => void;
};

/** Turns signals and the data plane's failure into a reload or a stop. */
function watchForEnd(director: Director, log: Log, notify: Notify): End {
  const state = { isWanted: false, hasFailed: false };
  let finish: () => void = () => {};
  const reached = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const stop = async (reason: string) => {
    if (state.isWanted) return;
    state.isWanted = true;
    log.info('stopping', { reason });
    notify('STOPPING=1', 'STATUS=stopping');
    await director.stop().catch((error: unknown) => log.error('stopping', { reason: String(error) }));
    finish();
  };
  const stopListening = listenForSignals({
    reload: () => void reload(director, notify),
    dump: (kind) =>
      void director
        .dump(kind)
        .catch((error: unknown) => log.error('no dump was written', { reason: String(error) })),
    stop: (signal) => void stop(signal),
    force: () => process.exit(forcedExit),
  });
  void (async () => {
    for await (const event of director.events()) {
      if (event.kind !== 'failed' || state.isWanted) continue;
      state.hasFailed = true;
      await stop('the data plane failed');
    }
  })();
  return {
    reached: reached.finally(stopListening),
    isWanted: () => state.isWanted,
    hasFailed: () => state.hasFailed,
    stopListening,
  };
}

async function reload(director: Director, notify: Notify): Promise<void> {
  notify(...reloadingLines(), 'STATUS=reloading');
  // What is wrong with it is in the log already, and the old configuration is in force.
  await director.reload().catch(() => {});
  notify('READY=1', `STATUS=${statusText(director)}`);
}

function statusText(director: Director): string {
  try {
    const { generation, services } = director.status();
    return `generation ${generation}, ${services.up} of ${services.total} services up`;
  } catch {
    return 'not running';
  }
}
