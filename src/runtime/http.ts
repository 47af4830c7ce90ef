// A small HTTP server for control: bounded in connections, requests ahead, header and body size, and time, so that a hostile or stuck
// client costs one connection and nothing else, and not for long: where all places are taken the oldest connection makes
// room. Answers stream in pieces and let the event loop run in between.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createSerial } from './serial.js';

export type HttpRequest = {
  readonly method: string;
  readonly url: URL;
  /** The whole body; rejects with HttpError when it is too large or stops coming. */
  readonly body: () => Promise<string>;
};

export type HttpResponse = {
  readonly status: number;
  readonly contentType: string;
  readonly body: Iterable<string> | AsyncIterable<string>;
  readonly headers?: Readonly<Record<string, string>>;
};

export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;

/** A request that can't be answered as asked. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export const httpLimits = {
  /** For each listener: whoever reaches the metrics takes no place of the control socket. */
  connections: 128,
  /** Of one client, that wait for the answer to the one before or for their own: whoever asks further ahead is cut. */
  requests: 16,
  header_bytes: 8_192,
  body_bytes: 8 * 1024 * 1024,
  /** Until the headers are there, and until the whole request is. */
  headers_ms: 5_000,
  request_ms: 10_000,
  idle_ms: 5_000,
  /** A client that takes no byte of an answer for so long is cut, and one that has not all of it after `answer_ms`. */
  stalled_ms: 20_000,
  answer_ms: 120_000,
  /** After a refusal: for its last words to arrive. A client that does not close is closed. */
  refused_ms: 1_000,
} as const;

export type HttpLimits = { readonly [Name in keyof typeof httpLimits]: number };

/** A client may ask ahead, and costs no more for it: the next answer is begun when it has taken the one before. */
type Queue = { readonly inTurn: ReturnType<typeof createSerial>; length: number };

/** `onError` turns whatever the handler throws into an answer; a handler may take its time. */
export function createHttpServer(
  handler: HttpHandler,
  onError: (error: unknown) => HttpResponse,
  given: Partial<HttpLimits> = {},
): Server {
  const limits = { ...httpLimits, ...given };
  const server = createServer({
    maxHeaderSize: limits.header_bytes,
    headersTimeout: limits.headers_ms,
    requestTimeout: limits.request_ms,
    keepAliveTimeout: limits.idle_ms,
    connectionsCheckingInterval: Math.min(1_000, limits.headers_ms),
  });
  // Not Node's maxConnections: that refuses the newest, who is no more suspect than those that hold all places.
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const [oldest] = open;
    if (open.size > limits.connections) oldest?.destroy();
  });
  const queues = new WeakMap<Socket, Queue>();
  server.on('request', (request, response) => {
    const { socket } = request;
    const queue = queues.get(socket) ?? { inTurn: createSerial(), length: 0 };
    queues.set(socket, queue);
    if (queue.length >= limits.requests) {
      socket.destroy();
      return;
    }
    queue.length += 1;
    queue
      .inTurn(async () => {
        if (!socket.destroyed) await answer(request, response, { handler, onError, limits });
      })
      .catch(() => response.destroy())
      .finally(() => {
        queue.length -= 1;
      });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (socket.destroyed) return;
    const status =
      error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    closeWithin(socket, limits.refused_ms);
  });
  return server;
}

/** Node keeps a connection whose other half stays open, for ever. */
function closeWithin(stream: Duplex, patience_ms: number): void {
  const timer = setTimeout(() => stream.destroy(), patience_ms);
  stream.once('close', () => clearTimeout(timer));
}

/** Ends the server now; answers under way are cut. */
export async function closeHttpServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

type Answering = {
  readonly handler: HttpHandler;
  readonly onError: (error: unknown) => HttpResponse;
  readonly limits: HttpLimits;
};

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { handler, onError, limits }: Answering,
): Promise<void> {
  const reply = await handler({
    method: request.method ?? 'GET',
    url: new URL(`http://director${safePath(request.url)}`),
    body: () => readBody(request),
  }).catch(onError);
  if (!request.complete) response.setHeader('Connection', 'close');
  // Only from here on: a reload of ten megabytes keeps its client waiting, which is no fault of the client.
  response.setTimeout(limits.stalled_ms, () => response.destroy());
  const timer = setTimeout(() => response.destroy(), limits.answer_ms);
  response.writeHead(reply.status, { 'Content-Type': reply.contentType, ...reply.headers });
  // The client may go away in the middle; that ends its answer and concerns nobody else.
  await pipeline(Readable.from(reply.body), response).catch(() => response.destroy());
  clearTimeout(timer);
  if (!request.complete) request.destroy();
}

function safePath(url: string | undefined): string {
  return url !== undefined && URL.canParse(`http://director${url}`) ? url : '/';
}

async function readBody(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let size_bytes = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size_bytes += piece.length;
    if (size_bytes > httpLimits.body_bytes) {
      throw new HttpError(
        413,
        'BODY_TOO_LARGE',
        `a body of more than ${httpLimits.body_bytes} bytes is not taken`,
      );
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
