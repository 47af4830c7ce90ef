// The other end of the control socket: one request, one answer. What the director reports as an error is thrown.

import { request } from 'node:http';
import { DirectorError, type ErrorCode } from '../errors.js';
import type { ServiceView, Traffic } from './views.js';

/** An answer is waited for so long. A change of a hundred thousand servers on a busy machine takes minutes. */
const answerTimeout_ms = { GET: 60_000, POST: 600_000 } as const;
type Method = keyof typeof answerTimeout_ms;

/** One diagnostic as the API writes it. */
export type DiagnosticJson = {
  readonly severity: string;
  readonly code: string;
  readonly message: string;
  readonly help?: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly length: number;
  readonly sourceLine: string;
};

/** The director's refusal; `diagnostics` where a configuration was the reason. */
export class RefusedError extends DirectorError {
  constructor(
    code: ErrorCode,
    message: string,
    readonly diagnostics: readonly DiagnosticJson[],
    /** Of a change: what it ran into, and its place in the list. */
    readonly reason?: string,
    readonly change?: number,
  ) {
    super(code, message);
  }
}

export type AdminClient = {
  /** The answer's JSON. Throws NO_DIRECTOR when nobody answers, RefusedError when the director says no. */
  get(path: string): Promise<unknown>;
  post(path: string, body?: unknown): Promise<unknown>;
};

export function createAdminClient(socketPath: string): AdminClient {
  return {
    get: (path) => exchange(socketPath, 'GET', path, undefined),
    post: (path, body) => exchange(socketPath, 'POST', path, body),
  };
}

/** Services as `GET /v1/services` has them, with counters as numbers again. */
export function readServices(answer: unknown): ServiceView[] {
  const { services } = answer as { services: readonly ServiceView[] };
  return services.map((service) => ({
    ...service,
    traffic: readTraffic(service.traffic),
    destinations: service.destinations.map((row) => ({ ...row, traffic: readTraffic(row.traffic) })),
  }));
}

function readTraffic(traffic: Readonly<Record<keyof Traffic, unknown>>): Traffic {
  const read = (name: keyof Traffic) => BigInt(String(traffic[name]));
  return {
    connections: read('connections'),
    inPackets: read('inPackets'),
    outPackets: read('outPackets'),
    inBytes: read('inBytes'),
    outBytes: read('outBytes'),
  };
}

async function exchange(socketPath: string, method: Method, path: string, body: unknown): Promise<unknown> {
  const { status, text } = await send(
    socketPath,
    method,
    path,
    body === undefined ? '' : JSON.stringify(body),
  );
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (cause) {
    throw new DirectorError('IO', `what answers on ${socketPath} is no director (HTTP status ${status})`, {
      cause,
    });
  }
  if (status < 400) return answer;
  const { error, diagnostics = [] } = answer as {
    error: { code: ErrorCode; message: string; reason?: string; change?: number };
    diagnostics?: readonly DiagnosticJson[];
  };
  throw new RefusedError(error.code, error.message, diagnostics, error.reason, error.change);
}

function send(
  socketPath: string,
  method: Method,
  path: string,
  body: string,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => reject(connectionError(socketPath, error));
    const call = request({ socketPath, method, path, timeout: answerTimeout_ms[method] }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', fail);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString('utf8') });
      });
    });
    call.on('error', fail);
    call.on('timeout', () =>
      call.destroy(new Error(`no answer within ${answerTimeout_ms[method] / 1_000} s`)),
    );
    call.setHeader('Content-Type', 'application/json');
    call.setHeader('Content-Length', Buffer.byteLength(body));
    call.end(body);
  });
}

function connectionError(socketPath: string, error: NodeJS.ErrnoException): DirectorError {
  if (error.code === 'EACCES') {
    return new DirectorError('IO', `no permission for ${socketPath}: run as root`, { cause: error });
  }
  const why = error.code === 'ENOENT' ? 'there is no such socket' : error.message;
  return new DirectorError('NO_DIRECTOR', `no director answers on ${socketPath}: ${why}`, { cause: error });
}
