// Loads configurations for a running director. Reading waits for mounts, and parsing 10,000 servers takes a while, so a child
// process does both; what it answers is taken up in pieces. A child that waits for a file past the deadline is killed; while it
// can't even die (a hard NFS mount), no second one is started.

import { type ChildProcess, fork } from 'node:child_process';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { ParseResult } from '../../config/index.js';
import { DirectorError } from '../../errors.js';
import { join } from './pieces.js';
import { notAConfiguration, type ReadRequest, readSource } from './read-source.js';
import type { ReaderMessage } from './reader.js';
import type { ConfigSource, LoadConfig, ReadOptions } from './source.js';

export const loadLimits = {
  /** For one file or directory to answer. */
  answer_ms: 5_000,
  /** For everything. */
  load_ms: 60_000,
} as const;

export type LoadLimits = { readonly [Name in keyof typeof loadLimits]: number };

/** The same file from src/ and from dist/. */
const readerPath = fileURLToPath(new URL('../../../dist/runtime/loading/reader.js', import.meta.url));

/** What is shorter and names no file is parsed in a millisecond or two, and needs no process. */
const shortText = 16_384;
const fewServers = 50;

/** A reader that was killed and has not ended, with the path that it waits for. */
let stuck: { readonly child: ChildProcess; readonly path: string } | undefined;

/** `options` may hold more than is read of it. */
export function createConfigLoader(options: ReadOptions, limits: Partial<LoadLimits> = {}): LoadConfig {
  const { lenient, werror, directorConfigFile } = options;
  const configId = options.configId ?? hostname().split('.')[0] ?? '';
  return async (source, signal) => {
    const request = { source, options: { lenient, werror, directorConfigFile, configId } };
    if (isShort(source) && directorConfigFile === undefined) return readSource(request);
    return await loadByChild(request, { ...loadLimits, ...limits }, signal);
  };
}

function isShort(source: ConfigSource): boolean {
  if ('configFile' in source) return false;
  if ('configText' in source)
    return source.configText.length <= shortText && !/include|[~$]/.test(source.configText);
  try {
    const { virtualServers, failover } = source.config;
    const sizes = virtualServers.map(({ realServers }) => 1 + realServers.length);
    return sizes.reduce((sum, size) => sum + size, failover.routers.length) <= fewServers;
  } catch {
    // It is no configuration; to say so is short.
    return true;
  }
}

function loadByChild(request: ReadRequest, limits: LoadLimits, signal?: AbortSignal): Promise<ParseResult> {
  if (stuck !== undefined) {
    const what = `${stuck.path} has not answered an earlier attempt yet; nothing is read meanwhile`;
    return Promise.reject(unreadable(what));
  }
  return new Promise((resolve, reject) => {
    // A session of its own: what the terminal says to the director is not said to it.
    const child = fork(readerPath, {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: ['--max-old-space-size=1024'],
      detached: true,
    });
    let head: unknown;
    let asked: string | undefined;
    let answerTimer: NodeJS.Timeout | undefined;

    const end = (settle: () => void) => {
      clearTimeout(answerTimer);
      clearTimeout(loadTimer);
      signal?.removeEventListener('abort', abort);
      child.removeAllListeners('message');
      abandon(child, asked);
      settle();
    };
    const fail = (why: string) => end(() => reject(unreadable(why)));
    const abort = () => fail('the director stops');
    const loadTimer = setTimeout(
      () => fail(`the configuration was not read within ${limits.load_ms / 1_000} s`),
      limits.load_ms,
    );
    signal?.addEventListener('abort', abort, { once: true });

    child.on('message', (message: ReaderMessage) => {
      switch (message.kind) {
        case 'asks': {
          const { path } = message;
          asked = path;
          clearTimeout(answerTimer);
          if (path === undefined) return;
          const late = () =>
            fail(`${path} does not answer: no byte of it within ${limits.answer_ms / 1_000} s`);
          answerTimer = setTimeout(late, limits.answer_ms);
          return;
        }
        case 'head':
          head = message.head;
          return;
        case 'piece':
          join(head, message.piece);
          return;
        case 'end':
          end(() => resolve(head as ParseResult));
          return;
        case 'failed':
          end(() => reject(new DirectorError(message.code, message.message)));
          return;
        default:
          message satisfies never;
      }
    });
    child.once('error', (error) => fail(`can't start the reader of configurations: ${error.message}`));
    child.once('exit', (code, by) =>
      fail(`the reader of configurations ended early, by ${by ?? `exit ${code}`}`),
    );
    try {
      child.send(request, (error) => {
        if (error !== null) fail(`the reader of configurations can't be asked: ${error.message}`);
      });
    } catch (error) {
      // Functions and their like can't be sent.
      end(() => reject(notAConfiguration(error)));
    }
  });
}

/** Kills the child and waits for nothing; it holds back no exit of ours. */
function abandon(child: ChildProcess, path: string | undefined): void {
  child.removeAllListeners('exit');
  child.on('error', () => {});
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  if (path !== undefined) {
    stuck = { child, path };
    child.once('exit', () => {
      stuck = undefined;
    });
  }
  child.kill('SIGKILL');
  if (child.connected) child.disconnect();
  child.unref();
}

function unreadable(message: string): DirectorError {
  return new DirectorError('CONFIG_UNREADABLE', message);
}
