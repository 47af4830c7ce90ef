// A server at a path, for its owner alone: bound under a lock beside it, so that of two that start at the same moment
// one has it and the other says so. What a dead director left there is replaced, a living one is never touched; one that
// is about to end has a moment for it. Whoever removes the file (a cleaner of /run) takes nobody's control away: it is made anew.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type FSWatcher, watch } from 'node:fs';
import { chmod, lstat, mkdir, rename, stat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { basename, dirname } from 'node:path';
import { loadNative } from '../dataplane/native-module.js';
import { DirectorError, ioFailure } from '../errors.js';
import { addMicros, seconds } from '../model/units.js';
import type { Cancel, Clock } from './clock.js';
import { messageOf } from './message-of.js';

/** Nobody but its owner and root may write where it stands. */
const directoryMode = 0o755;

/** A master that gives up waits for its successor's advert: two advert intervals and half a second. */
const patience = seconds(5);
const retryPause = seconds(0.05);

/** Somebody may go on removing it. */
const rebindPause = seconds(1);

/** Takes the socket away again; the server stays open. */
export type Unbind = () => Promise<void>;

export type ControlSocketEvents = {
  /** A director has it, and is waited for. */
  readonly onWait: (reason: string) => void;
  /** It was removed; it is made anew, or why not. */
  readonly onRemoved: (outcome: string) => void;
};

/**
 * Makes `server` listen at `path`, mode 0600, for as long as the process lives. Where a director has it, that is told once by
 * `onWait`, and it has five seconds to end. Throws ALREADY_RUNNING when it does not, IO when nothing can be made there; the server listens nowhere then.
 */
export async function bindControlSocket(
  server: Server,
  path: string,
  clock: Clock,
  events: ControlSocketEvents,
): Promise<Unbind> {
  await mkdir(dirname(path), { recursive: true, mode: directoryMode }).catch(
    ioFailure(`can't make ${dirname(path)}`),
  );
  const deadline = addMicros(clock.now(), patience);
  for (let isReported = false; ; isReported = true) {
    try {
      return await bindAlone(server, path, clock, events);
    } catch (error) {
      if (!(error instanceof DirectorError) || error.code !== 'ALREADY_RUNNING') throw error;
      if (clock.now() >= deadline) throw error;
      if (!isReported) events.onWait(error.message);
      await new Promise<void>((resolve) => clock.at(addMicros(clock.now(), retryPause), resolve));
    }
  }
}

async function bindAlone(
  server: Server,
  path: string,
  clock: Clock,
  { onRemoved }: ControlSocketEvents,
): Promise<Unbind> {
  const lock = takeLock(path);
  try {
    await requireNobodyOn(path);
    const place = new Place(server, path, clock, onRemoved);
    await place.bind(server);
    return async () => {
      await place.leave();
      lock.release();
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The path while it is ours. */
class Place {
  private ino: number | undefined;
  private watcher: FSWatcher | undefined;
  private cancelAlarm: Cancel | undefined;
  private checking: Promise<void> | undefined;
  /** Listen where the server itself did before somebody removed it, and hand over to it: a server listens once. */
  private readonly doors: Server[] = [];
  private isLeft = false;

  constructor(
    private readonly server: Server,
    private readonly path: string,
    private readonly clock: Clock,
    private readonly onRemoved: (outcome: string) => void,
  ) {}

  async bind(server: Server): Promise<void> {
    this.ino = (await bindAt(server, this.path)).ino;
    this.watcher?.close();
    const names = [basename(this.path), basename(dirname(this.path))];
    try {
      // No poll: an idle director sleeps.
      this.watcher = watch(dirname(this.path), { persistent: false }, (_, name) => {
        if (name === null || names.includes(name)) this.check();
      });
      this.watcher.on('error', () => this.check());
    } catch {
      // The machine has no watch left: control works, and is not made anew.
    }
  }

  async leave(): Promise<void> {
    this.isLeft = true;
    this.watcher?.close();
    this.cancelAlarm?.();
    await this.checking;
    // By now somebody else's socket may stand at the path.
    const there = await stat(this.path).catch(() => undefined);
    if (there !== undefined && there.ino === this.ino) await unlink(this.path).catch(() => {});
    for (const door of this.doors) door.close();
  }

  private check(): void {
    if (this.isLeft || this.cancelAlarm !== undefined) return;
    this.checking ??= this.rebind().finally(() => {
      this.checking = undefined;
    });
  }

  private async rebind(): Promise<void> {
    const there = await lstat(this.path).catch((error: NodeJS.ErrnoException) => error);
    // What is there is ours, or somebody's who has put it there.
    if (!(there instanceof Error) || there.code !== 'ENOENT' || this.isLeft) return;
    const door = createServer((connection) => this.server.emit('connection', connection));
    try {
      await mkdir(dirname(this.path), { recursive: true, mode: directoryMode });
      await this.bind(door);
      this.doors.push(door);
      this.onRemoved('made anew');
    } catch (error) {
      this.onRemoved(messageOf(error));
    }
    this.cancelAlarm = this.clock.at(addMicros(this.clock.now(), rebindPause), () => {
      this.cancelAlarm = undefined;
      this.check();
    });
  }
}

function takeLock(path: string): { release(): void } {
  try {
    return loadNative().lockFile(`${path}.lock`, 'a director');
  } catch (error) {
    if ((error as { code?: string }).code !== 'ALREADY_RUNNING')
      return ioFailure(`can't listen on ${path}`)(error);
    const { message } = error as Error;
    throw new DirectorError('ALREADY_RUNNING', `${message}; stop it or give another --socket`, {
      cause: error,
    });
  }
}

/**
 * Bound under a name of its own and moved into place when its mode is right: nobody can connect in between, and a dead
 * director's socket is replaced in one step.
 */
async function bindAt(server: Server, path: string): Promise<{ readonly ino: number }> {
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    server.listen(draft);
    await once(server, 'listening');
    await chmod(draft, 0o600);
    await rename(draft, path);
    return await stat(path);
  } catch (error) {
    server.close();
    await unlink(draft).catch(() => {});
    return ioFailure(`can't listen on ${path}`)(error);
  }
}

async function requireNobodyOn(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there === undefined) return;
  if (!there.isSocket())
    throw new DirectorError('IO', `${path} is there and is no socket; give another --socket`);
  if (await isAnswered(path)) {
    throw new DirectorError(
      'ALREADY_RUNNING',
      `a director answers on ${path}; stop it or give another --socket`,
    );
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Refused: its owner is dead. Anything else (no permission, a full queue) may be a living one.
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}
