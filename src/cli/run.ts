// `director run`: a director in the foreground, from start to signal. Everything it does is `createDirector`; here are
// the log, the signals and the service manager.

import { Option } from 'commander';
import { formatDiagnostics } from '../config/index.js';
import { ChangeError, DirectorError } from '../errors.js';
import { systemClock } from '../runtime/clock.js';
import { createDirector, type DirectorOptions } from '../runtime/create-director.js';
import type { ChangeResult, Director } from '../runtime/director.js';
import type { DumpKind } from '../runtime/dumps/dump.js';
import { createLog, type Log, type LogFormat, type LogLevel, logFormats, logLevels } from '../runtime/log.js';
import { openLogOutput } from '../runtime/log-output.js';
import { boundProcessEnd } from '../runtime/process-end.js';
import { createNotify, type Notify, reloadingLines } from '../runtime/sd-notify.js';
import { preferShortPauses } from '../runtime/short-pauses.js';
import { listenForSignals } from '../runtime/signals.js';
import {
  type AddVerb,
  configFiles,
  configIdOption,
  directorConfigOption,
  Exit,
  exitCodes,
  fileOption,
  findConfigFile,
  lenientOption,
  socketOption,
  werrorOption,
} from './command.js';

import { checkFirewall, nftCommand } from './firewall.js';
import { readRules, ruleFiles } from './ipvsadm-rules.js';
import { keepalivedOptions } from './keepalived-options.js';
import { runInBackground } from './machine.js';
import { nameProcess, pidFileOf, writePidFile } from './pid-file.js';

export type RunOptions = {
  readonly file?: string;
  readonly directorConfig?: string;
  readonly configId?: string;
  readonly socket: string;
  readonly pid?: string;
  /** True: the usual one. */
  readonly ipvsadmRules?: string | true;
  readonly lenient?: true;
  readonly werror?: true;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
};

/** The exit code of a process that was told twice to stop. */
const forcedExit = 130;

export const addRun: AddVerb = (program) => {
  const verb = program
    .command('run')
    .description('run a director in the foreground; HUP reloads, TERM and INT stop, QUIT stops for a restart')
    .addOption(fileOption())
    .addOption(directorConfigOption())
    .addOption(configIdOption())
    .addOption(socketOption())
    .option('-p, --pid <file>', 'where the process id is written (default: .pid beside the control socket)')
    .option(
      '--ipvsadm-rules [file]',
      `what \`ipvsadm -S\` has written is in force from the start (default: ${ruleFiles.join(', else ')})`,
    )
    .addOption(lenientOption())
    .addOption(werrorOption())
    .addOption(new Option('--log-format <format>', 'how to log').choices(logFormats).default('text'))
    .addOption(new Option('--log-level <level>', 'the least to log').choices(logLevels).default('info'))
    .action((options: RunOptions) => run(options));
  for (const option of keepalivedOptions()) verb.addOption(option);
};

/** Runs until a signal ends it. `parts` stands in for the machine in tests. */
export async function run(
  options: RunOptions,
  parts: Pick<DirectorOptions, 'dataplane' | 'network'> = {},
): Promise<void> {
  preferShortPauses();
  nameProcess();
  const errors = openLogOutput(2);
  const log = createLog(options.logFormat, options.logLevel, openLogOutput(1), systemClock);
  boundProcessEnd();
  // Node would write them to standard error itself, and wait for its reader.
  process.removeAllListeners('warning').on('warning', ({ message }) => log.warn(message));
  const notify = createNotify();
  const configFile = options.file ?? findConfigFile();
  const director = createDirector(configFile === undefined ? { configText: '' } : { configFile }, {
    ...parts,
    log,
    socket: options.socket,
    lenient: options.lenient,
    werror: options.werror,
    directorConfigFile: options.directorConfig,
    configId: options.configId,
    ...(options.logFormat === 'text'
      ? { onDiagnostics: (diagnostics) => errors.write(formatDiagnostics(diagnostics)) }
      : {}),
  });

  const end = watchForEnd(director, log, notify);
  const rules = runInBackground(...nftCommand);
  log.info('starting', { config: configFile ?? 'none', pid: process.pid });
  if (configFile === undefined)
    log.warn(
      `there is no configuration (neither ${configFiles.join(' nor ')}): services come from ipvsadm and the API`,
    );
  let removePidFile = () => {};
  try {
    const { generation } = await startWithRules(director, options.ipvsadmRules);
    removePidFile = writePidFile(options.pid ?? pidFileOf(options.socket), log);
    log.info('ready', { generation, socket: options.socket });
    notify('READY=1', `STATUS=${statusText(director)}`);
    end.onStarted();
    if (director.config().virtualServers.length > 0) void rules.then((text) => sayFirewall(text, log));
  } catch (error) {
    end.stopListening();
    // Asked to stop while starting: that is what happened.
    if (!end.isWanted()) {
      // Its diagnostics stand before the sentence that sums them up.
      errors.drain();
      throw error;
    }
  }
  await end.reached;
  removePidFile();
  log.info('stopped');
  if (end.hasFailed()) throw new Exit(exitCodes.failed);
}

async function startWithRules(director: Director, asked: string | true | undefined): Promise<ChangeResult> {
  if (asked === undefined) return director.start();
  const { file, lines } = await readRules(asked === true ? undefined : asked);
  try {
    return await director.start(lines.map(({ change }) => change));
  } catch (error) {
    if (!(error instanceof ChangeError)) throw error;
    const line = lines[error.index ?? 0]?.number;
    const text = error.message.replace(/^changes\S*: /, '');
    throw new DirectorError('CONFIG_INVALID', `${file}: line ${line}: ${text}`, { cause: error });
  }
}

/** Rules of iptables-legacy are said by `doctor` and `check --here` alone: to read them takes a child more. */
function sayFirewall(rules: string | undefined, log: Log): void {
  for (const { level, fact, remedy } of checkFirewall(() => rules, false)) {
    if (level !== 'ok') log.warn(fact, { remedy });
  }
}

type End = {
  /** A reload that was asked for until now is made. */
  readonly onStarted: () => void;
  readonly reached: Promise<void>;
  readonly isWanted: () => boolean;
  /** The data plane could not go on. */
  readonly hasFailed: () => boolean;
  readonly stopListening: () => void;
};

/** Turns signals and the data plane's failure into a reload or a stop. */
function watchForEnd(director: Director, log: Log, notify: Notify): End {
  const state = { isStarted: false, isWanted: false, hasFailed: false };
  let finish: () => void = () => {};
  const reached = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const stop = async (reason: string, isRestart = false) => {
    if (state.isWanted) return;
    state.isWanted = true;
    log.info(isRestart ? 'stopping for a restart' : 'stopping', { reason });
    notify('STOPPING=1', 'STATUS=stopping');
    await director
      .stop({ isRestart })
      .catch((error: unknown) => log.error('stopping', { reason: String(error) }));
    finish();
  };
  // While one runs, any number of further requests are one.
  const reloads = onceMore(async () => {
    if (state.isStarted && !state.isWanted) await reload(director, notify, () => state.isWanted);
  });
  const dump = (kind: DumpKind) =>
    onceMore(() =>
      director.dump(kind).then(
        () => {},
        (error: unknown) => log.error('no dump was written', { reason: String(error) }),
      ),
    );
  const dumps = { data: dump('data'), stats: dump('stats'), json: dump('json') };
  let isReloadWanted = false;
  const stopListening = listenForSignals({
    reload: () => {
      isReloadWanted = true;
      reloads();
    },
    dump: (kind) => dumps[kind](),
    ignore: (what) => log.info(`a signal has no effect: ${what}`),
    stop: (signal, isRestart) => void stop(signal, isRestart),
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
    onStarted: () => {
      state.isStarted = true;
      if (isReloadWanted) reloads();
    },
    isWanted: () => state.isWanted,
    hasFailed: () => state.hasFailed,
    stopListening,
  };
}

async function reload(director: Director, notify: Notify, isStopping: () => boolean): Promise<void> {
  notify(...reloadingLines(), 'STATUS=reloading');
  // What is wrong with it is in the log already, and the old configuration is in force.
  await director.reload().catch(() => {});
  if (!isStopping()) notify('READY=1', `STATUS=${statusText(director)}`);
}

/** `action`, never twice at a time: calls during one of its runs make one more run after it. It must not reject. */
function onceMore(action: () => Promise<void>): () => void {
  let isRunning = false;
  let isWanted = false;
  const loop = async () => {
    isRunning = true;
    while (isWanted) {
      isWanted = false;
      await action();
    }
    isRunning = false;
  };
  return () => {
    isWanted = true;
    if (!isRunning) void loop();
  };
}

function statusText(director: Director): string {
  try {
    const { generation, services } = director.status();
    return `generation ${generation}, ${services.up} of ${services.total} services up`;
  } catch {
    return 'not running';
  }
}
