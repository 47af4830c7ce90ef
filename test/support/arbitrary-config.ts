// fast-check arbitraries of DirectorConfig: only what a text can say, so that printing and reading it is the identity.
import fc from 'fast-check';
import type { TcpCheckPolicy } from '../../src/config/checkers/tcp-check.js';
import { networkOf } from '../../src/config/values.js';
import { formatIp, type IpAddress } from '../../src/model/address.js';
import type { ClientRules } from '../../src/model/client-rules.js';
import type {
  DirectorConfig,
  DirectorSettings,
  GlobalConfig,
  RealServer,
  SorryServer,
  StaticAddress,
  VirtualServer,
} from '../../src/model/director-config.js';
import {
  type ForwardingMethod,
  forwardingMethods,
  maxPersistence_s,
  nodestRules,
  schedulerFlags,
  schedulers,
} from '../../src/model/forwarding-table.js';
import type { Origin } from '../../src/model/origin.js';
import { serviceKey } from '../../src/model/service-id.js';
import { type Micros, micros } from '../../src/model/units.js';
import { arbitraryFailover } from './arbitrary-failover.js';

const origin: Origin = { file: 'arbitrary', line: 1, column: 1 };

/** `plain`: only words and values that keepalived 2.2.7 takes without a remark where the devices `lo`, `e0` and `e1` are. */
export type ConfigOptions = { readonly plain?: boolean };

const port = fc.integer({ min: 1, max: 65_535 });
const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(formatIp);
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatIp);
const addressOf = (family: 4 | 6): fc.Arbitrary<IpAddress> => (family === 4 ? ipv4 : ipv6);
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });
const plainWord = fc.stringMatching(/^[a-z][a-z0-9_-]{0,11}$/);
const time = (min: number, max: number): fc.Arbitrary<Micros> => fc.integer({ min, max }).map(micros);

function textWord({ plain }: ConfigOptions): fc.Arbitrary<string> {
  return plain
    ? plainWord
    : fc.oneof(plainWord, fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }));
}

function globalConfig(options: ConfigOptions): fc.Arbitrary<GlobalConfig> {
  const timeout = maybe(fc.integer({ min: 1, max: 100_000 }));
  return fc.record({
    routerId: maybe(textWord(options)),
    tcpTimeout_s: timeout,
    tcpFinTimeout_s: timeout,
    udpTimeout_s: timeout,
  });
}

function staticAddress({ plain }: ConfigOptions): fc.Arbitrary<StaticAddress> {
  const device = plain ? fc.constant('lo') : plainWord;
  const common = { device, origin: fc.constant(origin) };
  const four = fc.record({
    ...common,
    address: ipv4,
    length: fc.integer({ min: 0, max: 32 }),
    label: maybe(plainWord.map((word) => (plain ? `lo:${word.slice(0, 8)}` : word))),
    scope: fc.constantFrom<StaticAddress['scope']>('global', 'link', 'host', 'site'),
    broadcast: maybe(ipv4),
  });
  const six = fc.record({
    ...common,
    address: ipv6,
    length: fc.integer({ min: 0, max: 128 }),
    label: fc.constant(undefined),
    scope: fc.constant<StaticAddress['scope']>('global'),
    broadcast: fc.constant(undefined),
  });
  return fc.oneof(four, six);
}

function tcpCheck(family: 4 | 6, { plain }: ConfigOptions): fc.Arbitrary<TcpCheckPolicy> {
  return fc.record({
    kind: fc.constant<'tcp'>('tcp'),
    timeout: time(1, 4_000_000_000),
    delayLoop: time(1, 4_000_000_000),
    retries: fc.integer({ min: 0, max: 1_000 }),
    delayBeforeRetry: time(1, 1_000_000_000),
    warmup: time(0, 1_000_000_000),
    alpha: fc.boolean(),
    logAllFailures: fc.boolean(),
    question: fc.record({
      connectAddress: addressOf(family),
      connectPort: port,
      bindAddress: maybe(addressOf(family)),
      bindPort: fc.oneof(fc.constant(0), port),
      bindDevice: maybe(plain ? fc.constant('lo') : plainWord),
      fwmark: fc.integer({ min: 0, max: 4_294_967_295 }),
    }),
  });
}

/** DR keeps the service's port. */
function realServer(family: 4 | 6, servicePort: number, options: ConfigOptions): fc.Arbitrary<RealServer> {
  return fc
    .record({
      address: addressOf(family),
      port: fc.oneof(fc.constant(servicePort), port),
      method: fc.constantFrom<ForwardingMethod>(...forwardingMethods),
      weight: fc.integer({ min: 0, max: 65_535 }),
      upperThreshold: fc.integer({ min: 0, max: 100_000 }),
      lowerThreshold: fc.integer({ min: 0, max: 100_000 }),
      alpha: fc.boolean(),
      inhibitOnFailure: fc.boolean(),
      checkers: fc.array(tcpCheck(family, options), { maxLength: 2 }),
      origin: fc.constant(origin),
    })
    .map((server) => ({ ...server, port: server.method === 'dr' ? servicePort : server.port }));
}

function sorryServer(family: 4 | 6, servicePort: number): fc.Arbitrary<SorryServer> {
  return fc
    .record({
      address: addressOf(family),
      port,
      method: fc.constantFrom<ForwardingMethod>(...forwardingMethods),
    })
    .map((server) => ({ ...server, port: server.method === 'dr' ? servicePort : server.port }));
}

function virtualServer(options: ConfigOptions): fc.Arbitrary<VirtualServer> {
  return fc
    .record({ family: fc.constantFrom<4 | 6>(4, 6), port })
    .chain(({ family, port: servicePort }) =>
      fc.record({
        id: fc.record({
          kind: fc.constant('endpoint' as const),
          protocol: fc.constantFrom('tcp', 'udp'),
          address: addressOf(family),
          port: fc.constant(servicePort),
        }),
        scheduler: fc.constantFrom(...schedulers),
        isFallback: fc.boolean(),
        isByPort: fc.boolean(),
        onePacket: fc.boolean(),
        persistence: maybe(
          fc.record({
            timeout_s: fc.integer({ min: 1, max: maxPersistence_s }),
            prefixLength: fc.integer({ min: family === 4 ? 0 : 1, max: family === 4 ? 32 : 128 }),
          }),
        ),
        quorum: fc.integer({ min: 1, max: 200_000 }),
        hysteresis: fc.integer({ min: 0, max: 200_000 }),
        alpha: fc.boolean(),
        sorryServer: maybe(sorryServer(family, servicePort)),
        realServers: fc.uniqueArray(realServer(family, servicePort, options), {
          minLength: 1,
          maxLength: 4,
          selector: (server) => `${server.address} ${server.port}`,
        }),
        notAsWritten: fc.constant<readonly string[]>([]),
        origin: fc.constant(origin),
      }),
    )
    .map(consistent);
}

/** Flags belong to their scheduler, single packets to UDP, and a quorum stays within the weights. */
function consistent({
  isFallback,
  isByPort,
  ...service
}: Omit<VirtualServer, 'flags'> & { isFallback: boolean; isByPort: boolean }): VirtualServer {
  const total = service.realServers.reduce((sum, { weight }) => sum + weight, 0);
  const quorum = Math.max(1, Math.min(service.quorum, total));
  return {
    ...service,
    flags: schedulerFlags
      .filter(({ scheduler, bit }) => scheduler === service.scheduler && (bit === 1 ? isFallback : isByPort))
      .map(({ name }) => name),
    onePacket: service.onePacket && service.id.kind === 'endpoint' && service.id.protocol === 'udp',
    quorum,
    hysteresis: Math.min(service.hysteresis, quorum - 1),
  };
}

/** No network twice, in either list. */
function clientRules(): fc.Arbitrary<ClientRules> {
  const network = fc
    .oneof(fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })), fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })))
    .map(([address, length]) => `${networkOf({ address, length })}/${length}`);
  return fc.tuple(fc.uniqueArray(network, { maxLength: 6 }), fc.nat(6)).map(([list, at]) => ({
    allow: list.slice(0, at).sort(),
    deny: list.slice(at).sort(),
  }));
}

function directorSettings(options: ConfigOptions): fc.Arbitrary<DirectorSettings> {
  const endpoint = fc.record({ address: fc.oneof(ipv4, ipv6), port });
  return fc.record({
    interfaces: maybe(fc.array(plainWord, { minLength: 1, maxLength: 3 })),
    workers: fc.oneof(fc.constant<'auto'>('auto'), fc.integer({ min: 1, max: 256 })),
    cpus: maybe(fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 4 })),
    io: fc.constantFrom<DirectorSettings['io']>('af_packet', 'af_xdp', 'auto'),
    offload: fc.constantFrom<DirectorSettings['offload']>('none', 'tc', 'xdp', 'auto'),
    connections: fc.integer({ min: 1, max: 100_000_000 }),
    serverOrder: fc.constantFrom<DirectorSettings['serverOrder']>('kernel', 'config'),
    expireNodestConn: fc.constantFrom(...nodestRules),
    expireQuiescentTemplate: fc.boolean(),
    metrics: maybe(endpoint),
    peer: maybe(endpoint),
    peerKeyFile: maybe(textWord(options)),
  });
}

export function arbitraryConfig(options: ConfigOptions = {}): fc.Arbitrary<DirectorConfig> {
  return fc.record({
    global: globalConfig(options),
    staticAddresses: fc.uniqueArray(staticAddress(options), {
      maxLength: 3,
      selector: ({ address, length, device }) => `${address}/${length} ${device}`,
    }),
    virtualServers: fc.uniqueArray(virtualServer(options), {
      maxLength: 4,
      selector: ({ id }) => serviceKey(id),
    }),
    leftOut: fc.constant<DirectorConfig['leftOut']>([]),
    failover: arbitraryFailover(options),
    director: directorSettings(options),
    clients: clientRules(),
  });
}
