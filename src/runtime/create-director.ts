// `createDirector`: the library's one entrance, which `director run` uses too. Fills in this process's clock, addon
// and probes wherever the caller gave none.

import { createRequire } from 'node:module';
import { createNativeDataplane } from '../dataplane/native.js';
import { loadNative } from '../dataplane/native-module.js';
import { createNativeNetwork } from '../dataplane/native-network.js';
import type { Network } from '../dataplane/network.js';
import type { Dataplane } from '../dataplane/port.js';
import { controlServers } from './admin-server.js';
import { Catcher } from './catcher.js';
import { type Clock, systemClock } from './clock.js';
import { createScripts } from './create-scripts.js';
import { Director } from './director.js';
import { isIpv6Router } from './failover/ipv6-router.js';
import { createConfigLoader } from './loading/loader.js';
import type { ConfigSource, Diagnostic, ReadOptions } from './loading/source.js';
import { type Log, silentLog } from './log.js';
import { createProbes } from './probes/create-probes.js';
import type { NativeProbes, Probes } from './probes/probe.js';

export type DirectorOptions = ReadOptions & {
  /** What moves packets; default: the addon, on this machine's devices. */
  readonly dataplane?: Dataplane | undefined;
  /** What failover does on the machine's network; default: the addon, when there are virtual routers. */
  readonly network?: Network | undefined;
  readonly clock?: Clock | undefined;
  readonly log?: Log | undefined;
  /** Path of the control socket to open; default: none. */
  readonly socket?: string | undefined;
  /** Called with warnings and notices, and with errors, of each configuration that is read; default: the log. */
  readonly onDiagnostics?: ((diagnostics: readonly Diagnostic[]) => void) | undefined;
  /** Replaces the probes of the checkers. */
  readonly probes?: Probes | undefined;
  /** In [0, 1): spreads first probes over their warm-up. */
  readonly random?: (() => number) | undefined;
};

/** A director that has not started. Throws NATIVE_MISSING when it needs the addon and there is none. */
export function createDirector(source: ConfigSource, options: DirectorOptions = {}): Director {
  const log = options.log ?? silentLog;
  const catcher = new Catcher(options.clock ?? systemClock, log);
  return new Director(source, {
    dataplane: options.dataplane ?? createNativeDataplane(),
    catcher,
    log,
    network: () => options.network ?? createNativeNetwork(),
    ...createScripts(catcher, log),
    isRouter: isIpv6Router,
    probes: options.probes ?? createProbes(nativeProbes),
    random: options.random ?? Math.random,
    load: createConfigLoader(options),
    socket: options.socket,
    controlServers,
    version: productVersion(),
    onDiagnostics: options.onDiagnostics ?? ((diagnostics) => logDiagnostics(log, diagnostics)),
  });
}

/** The version in package.json. */
export function productVersion(): string {
  const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
  return version;
}

/** Loads the addon when a probe needs it, not before. */
const nativeProbes: NativeProbes = {
  open: (onEnded) => new (loadNative().TcpProber)(onEnded),
};

function logDiagnostics(log: Log, diagnostics: readonly Diagnostic[]): void {
  const levels = { error: 'error', warning: 'warn', notice: 'info' } as const;
  for (const { severity, code, message, origin } of diagnostics) {
    log[levels[severity]](message, { at: `${origin.file}:${origin.line}:${origin.column}`, code });
  }
}
