// The control socket, a UNIX socket with mode 0600, and the optional TCP address for Prometheus. A socket left by a
// dead director is replaced; one that a living director answers on is never touched.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, lstat, mkdir, rename, stat, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { DirectorError } from '../errors.js';
import { answerAdmin, answerMetrics, errorResponse } from './admin-api.js';
import type { Clock } from './clock.js';
import type { ControlServer, ControlServers, Director } from './director.js';
import { closeHttpServer, createHttpServer, HttpError } from './http.js';

export const controlServers: ControlServers = { admin: openAdminSocket, metrics: openMetrics };

/** Listens on `path`. Throws ALREADY_RUNNING when a director answers there, IO when it can't be made. */
export async function openAdminSocket(
  director: Director,
  path: string,
  clock: Clock,
): Promise<ControlServer> {
  const server = createHttpServer((request) => answerAdmin(director, clock, request), errorResponse);
  await mkdir(dirname(path), { recursive: true }).catch(ioFailure(`can't make ${dirname(path)}`));
  await requireNobodyOn(path);

  // Bound under a name of its own and moved into place when its mode is right: nobody can connect in between, and
  // a dead director's socket is replaced in one step.
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    server.listen(draft);
    await once(server, 'listening');
    await chmod(draft, 0o600);
    await rename(draft, path);
  } catch (error) {
    await closeHttpServer(server).catch(() => {});
    await unlink(draft).catch(() => {});
    return ioFailure(`can't listen on ${path}`)(error);
  }
  const { ino } = await stat(path);
  return { close: () => closeSocket(server, path, ino) };
}

/** Prometheus over TCP: `/metrics` and nothing else. Throws IO. */
export async function openMetrics(
  director: Director,
  listen: { readonly address: string; readonly port: number },
  clock: Clock,
): Promise<ControlServer & { readonly port: number }> {
  const server = createHttpServer(async ({ method, url }) => {
    if (url.pathname !== '/metrics') throw new HttpError(404, 'NOT_FOUND', 'there is only /metrics');
    if (method !== 'GET')
      throw new HttpError(405, 'METHOD_NOT_ALLOWED', '/metrics takes GET', { Allow: 'GET' });
    return answerMetrics(director, clock);
  }, errorResponse);
  try {
    server.listen(listen.port, listen.address);
    await once(server, 'listening');
  } catch (error) {
    return ioFailure(`can't listen on ${listen.address} port ${listen.port} for metrics`)(error);
  }
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : listen.port;
  return { port, close: () => closeHttpServer(server) };
}

async function closeSocket(server: Server, path: string, ino: number): Promise<void> {
  // By now somebody else's socket may stand at the path.
  const there = await stat(path).catch(() => undefined);
  if (there?.ino === ino) await unlink(path).catch(() => {});
  await closeHttpServer(server);
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

function ioFailure(what: string): (error: unknown) => never {
  return (error) => {
    throw new DirectorError('IO', `${what}: ${(error as Error).message}`, { cause: error });
  };
}
