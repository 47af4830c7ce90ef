// Changes from outside (POST /v1/changes, `apply` of the library): validated, then made to a configuration, all or
// nothing. They are in force over the file; a reload keeps or drops them.

import { z } from 'zod';
import { ChangeError, type ChangeFault } from '../errors.js';
import { addressBits, familyOf, type IpAddress, parseIp } from '../model/address.js';
import type { DirectorConfig, RealServer, VirtualServer } from '../model/director-config.js';
import {
  forwardingMethods,
  maxPersistence_s,
  schedulerFlags,
  schedulers,
} from '../model/forwarding-table.js';
import type { Origin } from '../model/origin.js';
import {
  endpointText,
  familyOfService,
  maxMark,
  notServedYet,
  type Protocol,
  type ServiceId,
  serviceKey,
} from '../model/service-id.js';
import type { YieldTurn } from './slices.js';

const address = z.string().transform((text, context): IpAddress => {
  const ip = parseIp(text);
  if (ip !== undefined) return ip;
  context.addIssue({ code: 'custom', message: `not an IP address: ${JSON.stringify(text.slice(0, 60))}` });
  return z.NEVER;
});
const port = z.int().min(1).max(65_535);
const threshold = z
  .int()
  .min(0)
  .max(2 ** 32 - 1);

/** As ipvsadm has it. */
const timeout = z.int().min(1).max(maxPersistence_s);

const protocol = z.enum(['tcp', 'udp']);
const serviceIds = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('endpoint'), protocol, address, port }),
  z.strictObject({ kind: z.literal('any-port'), protocol, address }),
  z.strictObject({ kind: z.literal('mark'), mark: z.int().min(1).max(maxMark), family: z.literal([4, 6]) }),
]);
/** Without a `kind` it is an address and a port. */
const serviceId = z.preprocess(
  (value: z.input<typeof serviceIds> | { protocol: Protocol; address: string; port: number }) =>
    typeof value === 'object' && value !== null && !('kind' in value)
      ? { kind: 'endpoint', ...value }
      : value,
  serviceIds.transform((id, context): ServiceId => {
    const reason = notServedYet(id);
    if (reason === undefined) return id;
    context.addIssue({ code: 'custom', message: `${reason} is not in effect yet` });
    return z.NEVER;
  }),
);
/** Port 0: the packet's, under a service of every port. */
const serverId = z.strictObject({ address, port: z.int().min(0).max(65_535) });

const serviceSettings = {
  scheduler: z.enum(schedulers),
  flags: z.array(z.enum(schedulerFlags.map(({ name }) => name))),
  onePacket: z.boolean(),
  /** 0 s: none; without a length each address is a client. */
  persistence: z.strictObject({
    timeout_s: z.int().min(0).max(maxPersistence_s),
    prefixLength: z.int().min(0).max(128).optional(),
  }),
  quorum: z
    .int()
    .min(1)
    .max(2 ** 31 - 1),
  hysteresis: z
    .int()
    .min(0)
    .max(2 ** 31 - 1),
} as const;

const serverSettings = {
  method: z.enum(forwardingMethods),
  weight: z.int().min(0).max(65_535),
  upperThreshold: threshold,
  lowerThreshold: threshold,
  inhibitOnFailure: z.boolean(),
} as const;

const newServer = z.strictObject({ ...serverId.shape, ...z.strictObject(serverSettings).partial().shape });

const changeSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('add-service'),
    service: serviceId,
    set: z.strictObject(serviceSettings).partial().default({}),
    servers: z.array(newServer).max(65_535).default([]),
  }),
  z.strictObject({
    kind: z.literal('update-service'),
    service: serviceId,
    set: z.strictObject(serviceSettings).partial(),
  }),
  z.strictObject({ kind: z.literal('remove-service'), service: serviceId }),
  z.strictObject({ kind: z.literal('add-server'), service: serviceId, server: newServer }),
  z.strictObject({
    kind: z.literal('update-server'),
    service: serviceId,
    server: serverId,
    set: z.strictObject(serverSettings).partial(),
  }),
  z.strictObject({ kind: z.literal('remove-server'), service: serviceId, server: serverId }),
  z.strictObject({ kind: z.literal('clear') }),
  z.strictObject({
    kind: z.literal('set-timeouts'),
    tcp_s: timeout.optional(),
    tcpFin_s: timeout.optional(),
    udp_s: timeout.optional(),
  }),
  z.strictObject({ kind: z.literal('zero'), service: serviceId.optional() }),
]);

/** Of one request: what a body of the control socket can hold. */
const maxChanges = 50_000;
const requestSchema = z.array(z.unknown()).min(1).max(maxChanges, `more than ${maxChanges} changes at once`);

/** One change as a caller writes it; addresses are plain strings. */
export type ChangeRequest = z.input<typeof changeSchema>;
type Change = z.output<typeof changeSchema>;

/** A service while it is changed: ten thousand changes of one must not copy its servers ten thousand times. */
type Draft = { policy: VirtualServer; readonly servers: Map<string, RealServer> };

/** What changes make of a configuration, and whose counters begin anew: services by `serviceKey`, or all. */
export type Changed = {
  readonly config: DirectorConfig;
  readonly zeroed: ReadonlySet<string> | 'all';
};

/** The configuration after all of `requests`; throws ChangeError that names the place in the input. */
export async function applyChanges(
  config: DirectorConfig,
  requests: unknown,
  yieldTurn: YieldTurn,
): Promise<Changed> {
  const list = parse(requestSchema, requests, []);
  const draft: ConfigDraft = {
    global: config.global,
    services: new Map(config.virtualServers.map((service) => [serviceKey(service.id), service])),
    zeroed: new Set(),
    isAllZeroed: false,
  };
  for (const [index, request] of list.entries()) {
    await yieldTurn();
    applyChange(draft, parse(changeSchema, request, [index]), `changes[${index}]`);
  }
  const { global, services, zeroed, isAllZeroed } = draft;
  const virtualServers = [...services.values()].map(finished);
  return { config: { ...config, global, virtualServers }, zeroed: isAllZeroed ? 'all' : zeroed };
}

function parse<T>(schema: z.ZodType<T>, value: unknown, path: readonly PropertyKey[]): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(pathText([...path, ...(issue?.path ?? [])]), issue?.message ?? 'not a list of changes');
}

function finished(service: VirtualServer | Draft): VirtualServer {
  return 'servers' in service ? { ...service.policy, realServers: [...service.servers.values()] } : service;
}

type ConfigDraft = {
  global: DirectorConfig['global'];
  readonly services: Map<string, VirtualServer | Draft>;
  readonly zeroed: Set<string>;
  isAllZeroed: boolean;
};

function draftOf(services: Map<string, VirtualServer | Draft>, key: string): Draft | undefined {
  const service = services.get(key);
  if (service === undefined || 'servers' in service) return service;
  const servers = new Map(service.realServers.map((server) => [endpointText(server), server]));
  const draft = { policy: service, servers };
  services.set(key, draft);
  return draft;
}

function applyChange(draft: ConfigDraft, change: Change, path: string): void {
  switch (change.kind) {
    case 'clear':
      draft.services.clear();
      return;
    case 'set-timeouts':
      draft.global = {
        ...draft.global,
        tcpTimeout_s: change.tcp_s ?? draft.global.tcpTimeout_s,
        tcpFinTimeout_s: change.tcpFin_s ?? draft.global.tcpFinTimeout_s,
        udpTimeout_s: change.udp_s ?? draft.global.udpTimeout_s,
      };
      return;
    case 'zero':
      zero(draft, change.service, path);
      return;
    default:
      applyServiceChange(draft.services, change, path);
  }
}

function zero(draft: ConfigDraft, service: ServiceId | undefined, path: string): void {
  if (service === undefined) {
    draft.isAllZeroed = true;
    return;
  }
  const key = serviceKey(service);
  if (!draft.services.has(key)) throw missing(`${path}.service`, key);
  draft.zeroed.add(key);
}

type ServiceChange = Exclude<Change, { readonly kind: 'clear' | 'set-timeouts' | 'zero' }>;

function applyServiceChange(
  services: Map<string, VirtualServer | Draft>,
  change: ServiceChange,
  path: string,
): void {
  const key = serviceKey(change.service);
  if (change.kind === 'add-service') {
    if (services.has(key))
      throw invalid(`${path}.service`, `the service ${key} exists already`, 'service-exists');
    services.set(key, addService(change, path));
    return;
  }
  const draft = draftOf(services, key);
  if (draft === undefined) throw missing(`${path}.service`, key);
  switch (change.kind) {
    case 'update-service':
      draft.policy = checkedService({ ...draft.policy, ...settingsOf(change) }, `${path}.set`);
      return;
    case 'remove-service':
      services.delete(key);
      return;
    case 'add-server':
      addServer(draft, change.server, `${path}.server`);
      return;
    case 'update-server':
      updateServer(draft, change, path);
      return;
    case 'remove-server': {
      const name = endpointText(change.server);
      if (!draft.servers.delete(name))
        throw invalid(`${path}.server`, `there is no server ${name} in ${key}`, 'no-server');
      return;
    }
    default:
      change satisfies never;
  }
}

/** Where the configuration says nothing: made by a change. */
const origin: Origin = { file: '(change)', line: 1, column: 1 };

function addService(change: Extract<Change, { kind: 'add-service' }>, path: string): Draft {
  const policy: VirtualServer = {
    id: change.service,
    scheduler: 'wlc',
    flags: [],
    onePacket: false,
    persistence: undefined,
    quorum: 1,
    hysteresis: 0,
    alpha: false,
    sorryServer: undefined,
    realServers: [],
    notAsWritten: [],
    origin,
    ...settingsOf(change),
  };
  const draft: Draft = { policy: checkedService(policy, `${path}.set`), servers: new Map() };
  for (const [index, server] of change.servers.entries())
    addServer(draft, server, `${path}.servers[${index}]`);
  return draft;
}

function addServer({ policy, servers }: Draft, server: z.output<typeof newServer>, path: string): void {
  const name = endpointText(server);
  if (servers.has(name))
    throw invalid(path, `the server ${name} exists already in ${serviceKey(policy.id)}`, 'server-exists');
  const added: RealServer = {
    method: 'dr',
    weight: 1,
    upperThreshold: 0,
    lowerThreshold: 0,
    alpha: false,
    inhibitOnFailure: false,
    checkers: [],
    origin,
    ...defined(server),
  };
  servers.set(name, checkedServer(policy, added, path));
}

function updateServer(
  { policy, servers }: Draft,
  change: Extract<Change, { kind: 'update-server' }>,
  path: string,
): void {
  const name = endpointText(change.server);
  const server = servers.get(name);
  if (server === undefined)
    throw invalid(`${path}.server`, `there is no server ${name} in ${serviceKey(policy.id)}`, 'no-server');
  servers.set(name, checkedServer(policy, { ...server, ...defined(change.set) }, `${path}.set`));
}

/** What is asked for, without what is not; 0 s of persistence are none. */
function settingsOf({ service, set }: Extract<Change, { kind: 'add-service' | 'update-service' }>) {
  const { persistence, ...rest } = defined(set);
  if (persistence === undefined) return rest;
  const { timeout_s, prefixLength = addressBits(familyOfService(service)) } = persistence;
  return { ...rest, persistence: timeout_s === 0 ? undefined : { timeout_s, prefixLength } };
}

function checkedService(service: VirtualServer, path: string): VirtualServer {
  if (service.onePacket && service.id.kind !== 'mark' && service.id.protocol !== 'udp')
    throw invalid(`${path}.onePacket`, 'only for UDP services');
  if ((service.persistence?.prefixLength ?? 0) > addressBits(familyOfService(service.id)))
    throw invalid(`${path}.persistence.prefixLength`, 'an IPv4 address has 32 bits');
  if (service.id.kind === 'any-port' && service.persistence === undefined)
    throw invalid(`${path}.persistence`, 'a service of every port must be persistent');
  return service;
}

function checkedServer(service: VirtualServer, server: RealServer, path: string): RealServer {
  if (familyOfService(service.id) !== familyOf(server.address)) {
    throw invalid(`${path}.address`, 'the server and the service must be of one address family');
  }
  const { id } = service;
  if (id.kind !== 'any-port' && server.port === 0)
    throw invalid(`${path}.port`, 'must be from 1 to 65535 unless the service is of every port');
  if (id.kind === 'endpoint' && server.method === 'dr' && server.port !== id.port) {
    throw invalid(`${path}.port`, `DR can't map ports: it must be the service's, ${id.port}`);
  }
  return server;
}

/** Without the keys whose value is undefined, which a spread would let win. */
function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

function pathText(path: readonly PropertyKey[]): string {
  return `changes${path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')}`;
}

function missing(path: string, key: string): ChangeError {
  return invalid(path, `there is no service ${key}`, 'no-service');
}

/** `path` begins with the place in the list, where there is one. */
function invalid(path: string, message: string, reason: ChangeFault = 'invalid'): ChangeError {
  const [, index] = /^changes\[(\d+)\]/.exec(path) ?? [];
  return new ChangeError(`${path}: ${message}`, reason, index === undefined ? undefined : Number(index));
}
