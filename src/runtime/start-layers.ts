// What a start finds beside its file: changes of run time that the director before has left for a restart, else those that the
// caller asks for. They lie beside the control socket, and count for a minute, as connections do.

import { lstat, readFile, unlink } from 'node:fs/promises';
import type { Change } from '../model/diff.js';
import type { DirectorConfig } from '../model/director-config.js';
import { effectiveConfig, type Layers } from '../model/layers.js';
import { applyChanges, type ChangeRequest } from './changes.js';
import type { Clock } from './clock.js';
import { findChanges } from './describe-changes.js';
import { writeDump } from './dumps/dump-file.js';
import type { Log } from './log.js';
import { messageOf } from './message-of.js';
import type { YieldTurn } from './slices.js';

type Parts = {
  readonly socket: string | undefined;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
};

type HandedOver = { readonly version: string; readonly at: number; readonly changes: readonly Change[] };

const handedOverFor_us = 60_000_000;

/** Throws ChangeError for a request that can't be made. */
export async function startLayers(
  file: DirectorConfig,
  requests: readonly ChangeRequest[],
  parts: Parts,
  yieldTurn: YieldTurn,
): Promise<{ readonly config: DirectorConfig; readonly layers: Layers }> {
  const left = await takeUp(parts);
  if (left.length === 0 && requests.length === 0) return { config: file, layers: { file, changes: [] } };
  // What was in force a moment ago is newer than what was written down once.
  const config =
    left.length > 0
      ? effectiveConfig({ file, changes: left })
      : (await applyChanges(file, requests, yieldTurn)).config;
  return { config, layers: { file, changes: await findChanges(file, config, yieldTurn) } };
}

/** For the start that follows at once. What can't be written is told, and keeps nothing from ending. */
export async function handOver({ socket, version, clock, log }: Parts, { changes }: Layers): Promise<void> {
  if (socket === undefined || changes.length === 0) return;
  const handed: HandedOver = { version, at: clock.wall(), changes };
  await writeDump(pathOf(socket), JSON.stringify(handed)).catch((error: unknown) =>
    log.error('changes of run time end with this director', { reason: messageOf(error) }),
  );
}

/** When the start has come to its end: a later one has nothing to take up. */
export async function forgetHandedOver({ socket }: Parts): Promise<void> {
  if (socket !== undefined) await unlink(pathOf(socket)).catch(() => {});
}

async function takeUp({ socket, version, clock, log }: Parts): Promise<readonly Change[]> {
  const handed = socket === undefined ? undefined : await read(pathOf(socket), log);
  if (handed === undefined) return [];
  const age = clock.wall() - handed.at;
  const why =
    handed.version !== version
      ? `they are of version ${handed.version}`
      : age < 0 || age > handedOverFor_us
        ? 'they are older than a minute'
        : undefined;
  if (why !== undefined) log.warn('changes of run time of the director before are not taken up', { why });
  else log.info('changes of run time taken up', { changes: handed.changes.length });
  return why === undefined ? handed.changes : [];
}

async function read(path: string, log: Log): Promise<HandedOver | undefined> {
  try {
    const status = await lstat(path);
    // Where others may write, others may have written it.
    if (!status.isFile() || status.uid !== process.geteuid?.() || (status.mode & 0o077) !== 0)
      throw new Error(`${path} is not a file of ours alone`);
    return JSON.parse(await readFile(path, 'utf8')) as HandedOver;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn('changes of run time of the director before are not taken up', { why: messageOf(error) });
    return undefined;
  }
}

function pathOf(socket: string): string {
  return `${socket}.changes`;
}
