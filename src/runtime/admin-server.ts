// What answers HTTP: the control socket, and the optional TCP address for Prometheus.

import { once } from 'node:events';
import { ioFailure } from '../errors.js';
import { answerAdmin, answerMetrics, errorResponse } from './admin-api.js';
import type { Clock } from './clock.js';
import { bindControlSocket, type ControlSocketEvents } from './control-socket.js';
import type { ControlServer, ControlServers, Director } from './director.js';
import { closeHttpServer, createHttpServer, HttpError } from './http.js';

export const controlServers: ControlServers = { admin: openAdminSocket, metrics: openMetrics };

/**
 * Listens on `path`. Throws ALREADY_RUNNING when a director has it and does not end within five seconds (`onWait` gets
 * the reason at once), IO when it can't be made.
 */
export async function openAdminSocket(
  director: Director,
  path: string,
  clock: Clock,
  events: ControlSocketEvents,
): Promise<ControlServer> {
  const server = createHttpServer((request) => answerAdmin(director, clock, request), errorResponse);
  const remove = await bindControlSocket(server, path, clock, events).catch(async (error: unknown) => {
    await closeHttpServer(server).catch(() => {});
    throw error;
  });
  return {
    close: async () => {
      await remove();
      await closeHttpServer(server);
    },
  };
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
