// The routes of the control API: HTTP/JSON, the same for the CLI, `curl --unix-socket` and anybody else. Counters are
// strings, for they can pass 2^53; times are integer microseconds. Knows no sockets.

import { z } from 'zod';
import { printConfig } from '../config/index.js';
import { ChangeError, DirectorError, type ErrorCode } from '../errors.js';
import type { ChangeRequest } from './changes.js';
import { type Clock, nextTurn } from './clock.js';
import type { ChangeResult, Director } from './director.js';
import { dumpKinds } from './dumps/dump.js';
import { HttpError, type HttpRequest, type HttpResponse } from './http.js';
import { ConfigError, diagnosticJson } from './loading/source.js';
import { metricsContentType, metricsText } from './metrics.js';
import { runTimeRules } from './reload-plan.js';

export const defaultPageSize = 100;
export const maxPageSize = 10_000;

type Route = (director: Director, request: HttpRequest) => Promise<Iterable<string> | object>;

const routes: Readonly<Record<string, Readonly<Record<string, Route>>>> = {
  '/v1/status': { GET: getStatus },
  '/v1/services': { GET: getServices },
  '/v1/connections': { GET: getConnections },
  '/v1/stats': { GET: getStats },
  '/v1/config': { GET: getConfig },
  '/v1/virtual-routers': { GET: getVirtualRouters },
  '/v1/dump': { GET: getDump },
  '/v1/reload': { POST: postReload },
  '/v1/plan': { POST: postPlan },
  '/v1/switchover': { POST: postSwitchover },
  '/v1/preemption': { POST: postPreemption },
  '/v1/changes': { POST: postChanges },
};

/** Answers one request; what goes wrong becomes an answer, too. */
export async function answerAdmin(
  director: Director,
  clock: Clock,
  request: HttpRequest,
): Promise<HttpResponse> {
  try {
    const { method, url } = request;
    if (url.pathname === '/metrics' && method === 'GET') return await answerMetrics(director, clock);
    const methods = routes[url.pathname];
    if (methods === undefined) throw new HttpError(404, 'NOT_FOUND', `there is no ${url.pathname}`);
    const route = methods[method];
    if (route === undefined) {
      const allowed = Object.keys(methods).join(', ');
      throw new HttpError(405, 'METHOD_NOT_ALLOWED', `${url.pathname} takes ${allowed}`, { Allow: allowed });
    }
    const body = await route(director, request);
    return json(
      200,
      Symbol.iterator in body ? inTurns(clock, body as Iterable<string>) : [toJson(body), '\n'],
    );
  } catch (error) {
    return errorResponse(error);
  }
}

export async function answerMetrics(director: Director, clock: Clock): Promise<HttpResponse> {
  const pieces = metricsText(director.status(), await director.countedServices());
  return { status: 200, contentType: metricsContentType, body: inTurns(clock, pieces) };
}

/** `{error: {code, message, file?, line?, column?}}`, with all diagnostics where there are some. */
export function errorResponse(error: unknown): HttpResponse {
  if (error instanceof HttpError) {
    const { status, code, message, headers } = error;
    return { ...json(status, [toJson({ error: { code, message } }), '\n']), headers };
  }
  if (error instanceof ConfigError) {
    const [first] = error.diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
    const { file, line, column } = first?.origin ?? {};
    const diagnostics = error.diagnostics.map(diagnosticJson);
    const { code, message } = error;
    return json(422, [toJson({ error: { code, message, file, line, column }, diagnostics }), '\n']);
  }
  if (error instanceof DirectorError) {
    const { code, message } = error;
    const place = error instanceof ChangeError ? { reason: error.reason, change: error.index } : {};
    return json(statusByCode[code] ?? 500, [toJson({ error: { code, message, ...place } }), '\n']);
  }
  return json(500, [toJson({ error: { code: 'INTERNAL', message: String(error) } }), '\n']);
}

const statusByCode: Partial<Record<ErrorCode, number>> = {
  CONFIG_INVALID: 422,
  CONFIG_UNREADABLE: 422,
  INVALID_CHANGE: 400,
  LIMIT_REACHED: 409,
  NOT_FOUND: 404,
  NOT_MASTER: 409,
  NOT_RUNNING: 503,
};

async function getStatus(director: Director): Promise<object> {
  return director.status();
}

async function getServices(director: Director): Promise<Iterable<string>> {
  return jsonList('services', await director.services());
}

async function getStats(director: Director): Promise<Iterable<string>> {
  const services = await director.services();
  const { dataplane, custody } = director.status();
  const { verdicts, drops, passes, flowEvents, connectionCount, connectionLimit } = dataplane;
  const rows = services.map(({ id, traffic, rates, destinations }) => ({
    id,
    traffic,
    rates,
    destinations: destinations.map((row) => ({
      address: row.address,
      port: row.port,
      traffic: row.traffic,
      rates: row.rates,
    })),
  }));
  return jsonList('services', rows, {
    verdicts,
    drops,
    passes,
    custody,
    flowEvents,
    connectionCount,
    connectionLimit,
  });
}

async function getConnections(director: Director, { url }: HttpRequest): Promise<object> {
  const limit = numberParameter(url, 'limit', 1, maxPageSize) ?? defaultPageSize;
  return director.connections(limit, numberParameter(url, 'after', 0, Number.MAX_SAFE_INTEGER));
}

async function getConfig(director: Director): Promise<object> {
  const { source, generation } = director.status();
  const config = director.config();
  return { source, generation, text: printConfig(config), config };
}

async function getVirtualRouters(director: Director): Promise<object> {
  return director.virtualRouters();
}

async function getDump(director: Director, { url }: HttpRequest): Promise<object> {
  const kind = url.searchParams.get('kind') ?? 'data';
  const known = dumpKinds.find((candidate) => candidate === kind);
  if (known === undefined) {
    throw new HttpError(400, 'BAD_PARAMETER', `kind is one of ${dumpKinds.join(', ')}`);
  }
  return { kind: known, text: director.dumpText(known) };
}

/** `router` or `group`; without either all that are master here. */
const target = { router: z.string().optional(), group: z.string().optional() };
const isOne = ({ router, group }: { router?: string | undefined; group?: string | undefined }) =>
  router === undefined || group === undefined;
const oneTarget = { error: 'router and group exclude each other', path: ['group'] };
const targetSchema = z.strictObject(target).refine(isOne, oneTarget);
const switchoverSchema = z
  .strictObject({ ...target, wait: z.boolean().default(true) })
  .refine(isOne, oneTarget);

async function postSwitchover(director: Director, request: HttpRequest): Promise<object> {
  const { router, group, wait } = await readBody(request, switchoverSchema);
  return { outcomes: await director.switchover(router ?? group, wait) };
}

async function postPreemption(director: Director, request: HttpRequest): Promise<object> {
  const { router, group } = await readBody(request, targetSchema);
  return { virtualRouters: director.allowPreemption(router ?? group) };
}

/** An empty body is an empty object. */
async function readBody<T>(request: HttpRequest, schema: z.ZodType<T>): Promise<T> {
  const text = await request.body();
  const result = schema.safeParse(text.trim() === '' ? {} : parseJson(text));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new HttpError(400, 'BAD_PARAMETER', `${issue?.path.join('.') || 'body'}: ${issue?.message}`);
}

const runTimeChanges = z.enum(runTimeRules).default('keep');
const reloadSchema = z.strictObject({ runTimeChanges });
const planSchema = z.strictObject({ file: z.string().min(1), runTimeChanges });

async function postReload(director: Director, request: HttpRequest): Promise<object> {
  const { runTimeChanges: rule } = await readBody(request, reloadSchema);
  const result = await director.reload(undefined, rule);
  return { ...resultJson(result), kept: result.kept, undone: result.undone };
}

async function postPlan(director: Director, request: HttpRequest): Promise<object> {
  const { file, runTimeChanges: rule } = await readBody(request, planSchema);
  const plan = await director.plan({ configFile: file }, rule);
  return { ...plan, diagnostics: plan.diagnostics.map(diagnosticJson) };
}

async function postChanges(director: Director, request: HttpRequest): Promise<object> {
  const changes = parseJson(await request.body());
  return resultJson(await director.apply(changes as readonly ChangeRequest[]));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HttpError(400, 'BAD_JSON', `the body is not JSON: ${(error as Error).message}`);
  }
}

function resultJson({ generation, changes, diagnostics }: ChangeResult): object {
  return { generation, changes, diagnostics: diagnostics.map(diagnosticJson) };
}

function numberParameter(url: URL, name: string, least: number, most: number): number | undefined {
  const text = url.searchParams.get(name);
  if (text === null) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new HttpError(400, 'BAD_PARAMETER', `${name} must be a whole number from ${least} to ${most}`);
}

/** `{…head, name: […]}` in pieces of one entry each. */
function* jsonList(name: string, entries: Iterable<object>, head: object = {}): Generator<string, void> {
  const start = toJson(head).slice(0, -1);
  yield `${start}${start === '{' ? '' : ','}${JSON.stringify(name)}:[`;
  let separator = '';
  for (const entry of entries) {
    yield `${separator}${toJson(entry)}`;
    separator = ',';
  }
  yield ']}\n';
}

/** Joins small pieces, and lets the event loop run between large ones. */
async function* inTurns(clock: Clock, pieces: Iterable<string>): AsyncGenerator<string, void> {
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length < 65_536) continue;
    yield text;
    text = '';
    await nextTurn(clock);
  }
  yield text;
}

function json(status: number, body: HttpResponse['body']): HttpResponse {
  return { status, contentType: 'application/json', body };
}

function toJson(value: object): string {
  return JSON.stringify(value, (_key, entry: unknown) => (typeof entry === 'bigint' ? String(entry) : entry));
}
