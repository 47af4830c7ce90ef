// Real HTTP for the lab: an nginx per real server that says its name, serves files and stores uploads.
// The client is curl; a request that failed is a value with curl's words, never an exception.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from './lab.js';
import type { Exit, TrackedProcess } from './process.js';
import { waitFor } from './wait.js';

export type HttpOptions = {
  /** Default 80. */
  readonly ports?: readonly number[];
  /** Bytes a second for what is fetched below /slow/; default 4 MB. */
  readonly slowRate?: string;
};

/**
 * Paths: `/` gives the host's name, `/files/X` and `/slow/X` files of the lab's folder `files`, `PUT /uploads/X` stores
 * a file in `uploadDir`.
 */
export class HttpServer {
  readonly uploadDir: string;
  readonly #configFile: string;
  readonly #port: number;
  #process: TrackedProcess | undefined;

  constructor(
    readonly host: Host,
    options: HttpOptions = {},
  ) {
    this.uploadDir = host.file('uploads');
    mkdirSync(this.uploadDir, { recursive: true });
    mkdirSync(join(host.lab.dir, 'files'), { recursive: true });
    const ports = options.ports ?? [80];
    this.#port = ports[0] ?? 80;
    this.#configFile = host.writeFile(
      'nginx.conf',
      nginxConfig(host, ports, this.uploadDir, options.slowRate ?? '4m'),
    );
  }

  /** Resolves when it answers on its own loopback. */
  async start(): Promise<void> {
    const child = this.host.spawn(['nginx', '-c', this.#configFile, '-e', this.host.file('nginx.log')], {
      name: 'nginx',
    });
    this.#process = child;
    await waitFor(
      `nginx on ${this.host.name}`,
      async () =>
        (await this.host.tryExec(`curl -s -o /dev/null http://127.0.0.1:${this.#port}/`)).code === 0,
      { detail: () => child.output() },
    );
  }

  /** Closes its ports and all its connections. */
  async stop(): Promise<Exit | undefined> {
    return await this.#process?.stop('SIGTERM');
  }
}

/** A running HTTP server on that host. */
export async function startHttp(host: Host, options: HttpOptions = {}): Promise<HttpServer> {
  const server = new HttpServer(host, options);
  await server.start();
  return server;
}

function nginxConfig(host: Host, ports: readonly number[], uploadDir: string, slowRate: string): string {
  const temp = (name: string) => host.file(`nginx-${name}`);
  const listen = ports
    .map((port) => `    listen 0.0.0.0:${port};\n    listen [::]:${port} ipv6only=on;`)
    .join('\n');
  const files = join(host.lab.dir, 'files');
  return `daemon off;
user root;
worker_processes 1;
pid ${temp('pid')};
events { worker_connections 2048; }
http {
  access_log off;
  default_type text/plain;
  sendfile on;
  client_max_body_size 0;
  client_body_temp_path ${temp('body')};
  proxy_temp_path ${temp('proxy')};
  fastcgi_temp_path ${temp('fastcgi')};
  uwsgi_temp_path ${temp('uwsgi')};
  scgi_temp_path ${temp('scgi')};
  server {
${listen}
    location = / { return 200 "${host.name}\\n"; }
    location /files/ { alias ${files}/; }
    location /slow/ { alias ${files}/; limit_rate ${slowRate}; }
    location /uploads/ { alias ${uploadDir}/; dav_methods PUT; }
  }
}
`;
}

export type Answers = {
  /** Who answered how often. */
  readonly counts: ReadonlyMap<string, number>;
  /** What failed, in curl's words. */
  readonly failures: readonly string[];
};

/** `count` requests one after another, each on a connection of its own. */
export async function request(client: Host, url: string, count: number, timeout_s = 3): Promise<Answers> {
  const result = await client.tryExec(
    [
      'curl',
      '-sS',
      '--max-time',
      String(timeout_s),
      '-H',
      'Connection: close',
      '-w',
      '%{stderr}%{http_code} %{errormsg}\\n',
      `${url}?[1-${count}]`,
    ],
    { timeout_s: 60 + count * timeout_s },
  );
  const counts = new Map<string, number>();
  for (const name of result.stdout.split('\n').filter((line) => line !== '')) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const failures = result.stderr
    .split('\n')
    .filter((line) => /^\d{3} /.test(line) && !line.startsWith('200 '));
  return { counts, failures };
}

/** Text of an address for a URL. */
export function urlOf(address: string, port = 80, path = '/'): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `http://${host}${port === 80 ? '' : `:${port}`}${path}`;
}
