// A small HTTP server for control: bounded in connections, header and body size, and time, so that a hostile or stuck
// client costs one connection and nothing else. Answers stream in pieces and let the event loop run in between.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

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
  connections: 128,
  header_bytes: 8_192,
  body_bytes: 8 * 1024 * 1024,
  /** Until the headers are there, and until the whole request is. */
  headers_ms: 5_000,
  request_ms: 10_000,
  idle_ms: 5_000,
  /** A client that takes no byte of an answer for so long is cut. */
  stalled_ms: 20_000,
} as const;

/** `onError` turns whatever the handler throws into an answer; a handler may take its time. */
export function createHttpServer(
  handler: HttpHandler,
  onError: (error: unknown) => HttpResponse,
  stalled_ms: number = httpLimits.stalled_ms,
): Server {
  const server = createServer({
    maxHeaderSize: httpLimits.header_bytes,
    headersTimeout: httpLimits.headers_ms,
    requestTimeout: httpLimits.request_ms,
    keepAliveTimeout: httpLimits.idle_ms,
    connectionsCheckingInterval: 1_000,
  });
  server.maxConnections = httpLimits.connections;
  server.on('request', (request, response) => {
    void answer(request, response, { handler, onError, stalled_ms });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (socket.destroyed) return;
    const status =
      error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  });
  return server;
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
  readonly stalled_ms: number;
};

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { handler, onError, stalled_ms }: Answering,
): Promise<void> {
  const reply = await handler({
    method: request.method ?? 'GET',
    url: new URL(`http://director${safePath(request.url)}`),
    body: () => readBody(request),
  }).catch(onError);
  if (!request.complete) response.setHeader('Connection', 'close');
  // Only from here on: a reload of ten megabytes keeps its client waiting, which is no fault of the client.
  response.setTimeout(stalled_ms, () => response.destroy());
  response.writeHead(reply.status, { 'Content-Type': reply.contentType, ...reply.headers });
  // The client may go away in the middle; that ends its answer and concerns nobody else.
  await pipeline(Readable.from(reply.body), response).catch(() => response.destroy());
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
