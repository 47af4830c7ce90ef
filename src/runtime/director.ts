// A director's life: new → starting → running → stopped. Owns the data plane, the engine and the control
// servers, runs changes one after another, and answers for all of it. `createDirector` of the library is this.

import type { ConnectionPage, Dataplane, DataplaneEvent } from '../dataplane/port.js';
import { DirectorError } from '../errors.js';
import { describe, emptyConfig } from '../model/diff.js';
import type { DirectorConfig } from '../model/director-config.js';
import type { Layers } from '../model/layers.js';
import { addMicros, type Micros, micros, seconds } from '../model/units.js';
import type { Catcher } from './catcher.js';
import { applyChanges, type ChangeRequest } from './changes.js';
import type { Cancel, Clock } from './clock.js';
import type { ControlSocketEvents } from './control-socket.js';
import { describeChanges, findChanges } from './describe-changes.js';
import { type DumpKind, dumpText } from './dumps/dump.js';
import { writeDump } from './dumps/dump-file.js';
import { Engine, fixedSettingsChanged } from './engine.js';
import { type DirectorEvent, EventStream } from './events.js';
import { Failover, type FailoverParts } from './failover/failover.js';
import type { SwitchoverOutcome } from './failover/switchover.js';
import type { FailoverView } from './failover/views.js';
import {
  ConfigError,
  type ConfigSource,
  type Diagnostic,
  type LoadConfig,
  sourceName,
} from './loading/source.js';
import type { Log } from './log.js';
import { type LoopLag, measureLag } from './loop-lag.js';
import { messageOf } from './message-of.js';
import type { Probes } from './probes/probe.js';
import { layersOn, logRunTime, planReload, type ReloadPlan, type RunTimeRule } from './reload-plan.js';
import { createSerial } from './serial.js';
import { createSlices } from './slices.js';
import { forgetHandedOver, handOver, startLayers } from './start-layers.js';
import { directorStatus, serviceViews } from './status.js';
import type { DirectorStatus, ServiceView } from './views.js';
import { Zeroes } from './zeroes.js';

/** What a change has done. */
export type ChangeResult = {
  /** The generation that holds the change, and is in force. */
  readonly generation: number;
  /** In words, one each; empty when nothing is new. */
  readonly changes: readonly string[];
  /** Warnings and notices about the configuration. */
  readonly diagnostics: readonly Diagnostic[];
};

export type ReloadResult = ChangeResult & {
  /** Changes of run time that are in force over the file, and those that no longer are, in words. */
  readonly kept: readonly string[];
  readonly undone: readonly string[];
};

/** What failover does its work with; see FailoverParts. */
export type FailoverTools = Pick<
  FailoverParts,
  'network' | 'notifier' | 'tracking' | 'accounts' | 'inspect' | 'isRouter'
>;

/** What answers for a director, over a socket or for Prometheus. */
export type ControlServer = { close(): Promise<void> };

/** Who opens them; a director does not know who asks it. */
export type ControlServers = {
  /**
   * Throws ALREADY_RUNNING when another director has the path and does not end within five seconds (`onWait` gets the reason
   * at once), IO when it can't be made.
   */
  admin(director: Director, path: string, clock: Clock, events: ControlSocketEvents): Promise<ControlServer>;
  /** Throws IO. */
  metrics(
    director: Director,
    listen: { readonly address: string; readonly port: number },
    clock: Clock,
  ): Promise<ControlServer>;
};

export type DirectorParts = FailoverTools & {
  readonly dataplane: Dataplane;
  /** With the clock. */
  readonly catcher: Catcher;
  readonly log: Log;
  readonly probes: Probes;
  readonly random: () => number;
  readonly load: LoadConfig;
  /** Path of the control socket; undefined: none. */
  readonly socket: string | undefined;
  readonly controlServers: ControlServers;
  readonly version: string;
  readonly onDiagnostics: (diagnostics: readonly Diagnostic[]) => void;
};

type State =
  | { readonly kind: 'new' | 'starting' | 'stopped' }
  | { readonly kind: 'running'; readonly running: Running };

type Running = {
  readonly engine: Engine;
  readonly failover: Failover;
  readonly servers: readonly ControlServer[];
  readonly startedAt: Micros;
  configuredAt: Micros;
  layers: Layers;
};

/** Of one reload; the caller of the reload gets all of them. */
const maxLoggedChanges = 100;

/** Host changes come in bursts; they are looked at this much after the first. */
const hostChangeDelay = seconds(0.2);

export class Director {
  private state: State = { kind: 'new' };
  private readonly stream = new EventStream();
  private readonly zeroes = new Zeroes();
  private readonly inTurn = createSerial();
  private readonly lag: LoopLag;
  private readonly parts: DirectorParts & { readonly clock: Clock };
  private cancelHostChange: Cancel | undefined;
  private readonly stopWanted = new AbortController();

  constructor(
    private source: ConfigSource,
    parts: DirectorParts,
  ) {
    this.lag = measureLag(parts.catcher.clock);
    this.parts = { ...parts, clock: this.lag.clock };
  }

  /**
   * Starts and resolves when the first table is in force. Throws CONFIG_INVALID or CONFIG_UNREADABLE (ConfigError with
   * all diagnostics), ALREADY_RUNNING, or the data plane's error; then nothing is left behind, and start may be tried
   * again with another director. `changes` are made over the configuration, as `apply` would make them, before it is in
   * force; throws ChangeError for one that is none.
   */
  async start(changes: readonly ChangeRequest[] = []): Promise<ChangeResult> {
    if (this.state.kind !== 'new')
      throw new DirectorError('ALREADY_RUNNING', 'this director was started before');
    this.state = { kind: 'starting' };
    return this.inTurn(async () => {
      try {
        return await this.bringUp(changes);
      } catch (error) {
        this.end();
        throw error;
      }
    });
  }

  /**
   * Stops, make before break: masters forward until their successors are heard; then checks end, our addresses leave,
   * the data plane detaches. `isRestart`: a director is started again at once. Masters stay master for as long as their
   * peers wait, addresses stay, and packets of services are dropped until the next start has taken up the connections,
   * for ten seconds at most. Safe to call twice; resolves when all is done.
   */
  async stop({ isRestart = false } = {}): Promise<void> {
    // A reload that waits for a file is not waited for.
    this.stopWanted.abort();
    await this.inTurn(async () => {
      if (this.state.kind === 'running') await this.takeDown(this.state.running, isRestart);
      else this.end();
    });
  }

  /**
   * Reads the configuration again, or takes `next` from now on; changes of run time stay, unless they are to be dropped. A bad
   * one changes nothing; throws ConfigError.
   */
  async reload(next?: ConfigSource, rule: RunTimeRule = 'keep'): Promise<ReloadResult> {
    this.requireRunning();
    return this.inTurn(async () => {
      const running = this.requireRunning();
      try {
        const loaded = await this.parts.load(next ?? this.source, this.stopWanted.signal);
        this.parts.onDiagnostics(loaded.diagnostics);
        if (loaded.config === undefined) throw new ConfigError(loaded.diagnostics);
        const yieldTurn = createSlices(this.parts.clock);
        const { config, layers, undone } = await layersOn(loaded.config, running.layers, rule, yieldTurn);
        const result = await this.putInForce(running, config);
        running.layers = layers;
        this.source = next ?? this.source;
        logRunTime(this.parts.log, layers.changes, undone);
        return {
          ...result,
          kept: layers.changes.map(describe),
          undone: undone.map(describe),
          diagnostics: loaded.diagnostics,
        };
      } catch (error) {
        this.parts.log.error('reload failed; the configuration in force stays', { reason: messageOf(error) });
        this.stream.emit({ kind: 'reload-failed', message: messageOf(error) });
        throw error;
      }
    });
  }

  /** What a reload that takes `source` would do; changes nothing. Throws ConfigError. */
  async plan(source: ConfigSource, rule: RunTimeRule = 'keep'): Promise<ReloadPlan> {
    this.requireRunning();
    return this.inTurn(async () => {
      const { engine, layers } = this.requireRunning();
      const { config, diagnostics } = await this.parts.load(source, this.stopWanted.signal);
      if (config === undefined) throw new ConfigError(diagnostics);
      const yieldTurn = createSlices(this.parts.clock);
      const next = await layersOn(config, layers, rule, yieldTurn);
      const rows = this.parts.dataplane.services();
      return planReload(engine.configInForce, next, rows, diagnostics, yieldTurn);
    });
  }

  /** Makes changes, all or nothing; a reload keeps or drops them. Throws ChangeError that names the place. */
  async apply(changes: readonly ChangeRequest[]): Promise<ChangeResult> {
    this.requireRunning();
    return this.inTurn(async () => {
      const running = this.requireRunning();
      const yieldTurn = createSlices(this.parts.clock);
      const { config, zeroed } = await applyChanges(running.engine.configInForce, changes, yieldTurn);
      const { file } = running.layers;
      const result = await this.putInForce(running, config);
      running.layers = { file, changes: await findChanges(file, config, yieldTurn) };
      if (zeroed === 'all' || zeroed.size > 0) {
        this.zeroes.begin(await this.counted(running), (key) => zeroed === 'all' || zeroed.has(key));
      }
      return { ...result, diagnostics: [] };
    });
  }

  /**
   * Has the virtual router or sync group `name` (all that are master here) give up to its peer. Resolves when it is known
   * how that ended, or at once without `isWaiting`. Throws NOT_FOUND, or NOT_MASTER where it is not master.
   */
  async switchover(name?: string, isWaiting = true): Promise<readonly SwitchoverOutcome[]> {
    return this.requireRunning().failover.switchover(name, isWaiting);
  }

  /** Ends what a switchover holds back: priorities decide again. Gives the virtual routers' names. Throws NOT_FOUND. */
  allowPreemption(name?: string): readonly string[] {
    return this.requireRunning().failover.allowPreemption(name);
  }

  /** The virtual routers and sync groups, and what has happened to them. */
  virtualRouters(): FailoverView {
    return this.requireRunning().failover.view();
  }

  /** What keepalived would write on USR1 (`data`), USR2 (`stats`) or for `--signum=JSON`. */
  dumpText(kind: DumpKind): string {
    const { engine, failover } = this.requireRunning();
    return dumpText(kind, failover.reading(engine.configInForce.global.routerId));
  }

  /** Writes it to the file that the configuration names, and gives its path. Throws IO. */
  async dump(kind: DumpKind): Promise<string> {
    const path = this.config().failover.dumps[kind];
    await writeDump(path, this.dumpText(kind));
    this.parts.log.info('dump written', { kind, path });
    return path;
  }

  status(): DirectorStatus {
    const { engine, failover, startedAt, configuredAt, layers } = this.requireRunning();
    const { clock, dataplane, catcher, log, version } = this.parts;
    return directorStatus(engine, dataplane, failover.view(), {
      version,
      source: sourceName(this.source),
      uptime: micros(clock.now() - startedAt),
      configuredAt,
      loopLag: this.lag.read(),
      custody: failover.custody,
      runTimeChanges: layers.changes.slice(0, maxLoggedChanges).map(describe),
      log: log.unwritten?.() ?? { lost: 0, heldBack: 0 },
      failedSteps: catcher.failedSteps,
    });
  }

  /** The services with their destinations, counters (since they were last zeroed), rates and checkers. */
  async services(): Promise<readonly ServiceView[]> {
    return this.zeroes.read(await this.counted(this.requireRunning()));
  }

  /** The same with counters that only grow. */
  async countedServices(): Promise<readonly ServiceView[]> {
    return this.counted(this.requireRunning());
  }

  private counted({ engine }: Running): Promise<readonly ServiceView[]> {
    return serviceViews(engine, this.parts.dataplane, createSlices(this.parts.clock));
  }

  /** At most `limit` connections; `next` of one page is `after` of the following one. */
  async connections(limit: number, after?: number): Promise<ConnectionPage> {
    this.requireRunning();
    return this.parts.dataplane.connections(limit, after);
  }

  /** The configuration in force. */
  config(): DirectorConfig {
    return this.requireRunning().engine.configInForce;
  }

  /** Events from now on; ends when the director has stopped. */
  events(): AsyncIterable<DirectorEvent> {
    return this.stream.listen();
  }

  private async bringUp(changes: readonly ChangeRequest[]): Promise<ChangeResult> {
    const { parts } = this;
    const loaded = await parts.load(this.source, this.stopWanted.signal);
    parts.onDiagnostics(loaded.diagnostics);
    const { config: file, diagnostics } = loaded;
    if (file === undefined) throw new ConfigError(diagnostics);
    const yieldTurn = createSlices(parts.clock);
    const { config, layers } = await startLayers(file, changes, parts, yieldTurn);

    const undo: (() => Promise<void>)[] = [];
    try {
      // The socket first: where another director answers on it, nothing has been touched yet.
      const servers: ControlServer[] = [];
      undo.push(() => closeAll(servers));
      const { socket, controlServers } = parts;
      const events: ControlSocketEvents = {
        onWait: (reason) => parts.log.info('waiting for another director to end', { reason }),
        onRemoved: (outcome) =>
          parts.log.warn('somebody has removed the control socket', { socket, outcome }),
      };
      if (socket !== undefined) servers.push(await controlServers.admin(this, socket, parts.clock, events));
      const { metrics } = config.director;
      if (metrics !== undefined) servers.push(await controlServers.metrics(this, metrics, parts.clock));

      await parts.dataplane.start(
        {
          interfaces: config.director.interfaces,
          connections: config.director.connections,
          cpu: config.director.cpus?.[0],
          // The socket says which director it is: two namespaces share one file system.
          connectionFile: parts.socket && `${parts.socket}.connections`,
        },
        (event) => parts.catcher.run(() => this.onDataplaneEvent(event)),
      );
      undo.push(() => parts.dataplane.stop());

      const emit = (event: DirectorEvent) => {
        this.stream.emit(event);
        try {
          parts.notifier.hear(event);
        } catch (error) {
          // Whoever hears of a change is no reason to undo it.
          parts.log.warn(`an event was not written to FIFOs: ${messageOf(error)}`, { event: event.kind });
        }
      };
      const failover: Failover = new Failover({
        ...parts,
        emit,
        publishServed: () => engine.refreshStandby(),
        hurryChecks: () => engine.health.hurry(),
      });
      const { served: roles } = failover;
      const engine = new Engine({ ...parts, inTurn: this.inTurn, emit, roles }, config);
      undo.push(() => engine.stop());
      undo.push(() => failover.stop());
      const list = await findChanges(emptyConfig, { ...emptyConfig, failover: config.failover }, yieldTurn);
      const plan = await failover.plan(config.failover, list);
      const generation = await engine.start(plan);
      await failover.commit(plan);
      await parts.dataplane.settle();
      await forgetHandedOver(parts);

      const now = parts.clock.now();
      const running: Running = {
        engine,
        failover,
        servers,
        startedAt: now,
        configuredAt: parts.clock.wall(),
        layers,
      };
      this.state = { kind: 'running', running };
      this.lag.reset();
      this.stream.emit({ kind: 'started', generation });
      return { generation, changes: [], diagnostics };
    } catch (error) {
      for (const step of undo.reverse()) await step().catch((again) => this.logUndo(again));
      throw error;
    }
  }

  private async takeDown({ engine, failover, servers, layers }: Running, isRestart: boolean): Promise<void> {
    try {
      if (!isRestart) await failover.release();
      await closeAll(servers);
      await failover.stop(isRestart);
      await engine.stop(isRestart);
      if (isRestart) await handOver(this.parts, layers);
    } finally {
      await this.parts.dataplane.stop(isRestart);
      this.stream.emit({ kind: 'stopped' });
      this.end();
    }
  }

  private end(): void {
    this.state = { kind: 'stopped' };
    this.cancelHostChange?.();
    this.parts.catcher.close();
    this.stream.close();
  }

  private async putInForce(
    running: Running,
    config: DirectorConfig,
  ): Promise<Omit<ChangeResult, 'diagnostics'>> {
    const { engine, failover } = running;
    const before = engine.configInForce;
    const yieldTurn = createSlices(this.parts.clock);
    const list = await findChanges(before, config, yieldTurn);
    const changes = await describeChanges(list, yieldTurn);
    for (const setting of fixedSettingsChanged(before, config)) {
      this.parts.log.warn(`the new value of ${setting} takes effect at the next start`);
    }
    // Whatever may fail does before the swap in reconfigure; nothing behind it can refuse the configuration any more.
    const plan = await failover.plan(config.failover, list);
    const generation = await engine.reconfigure(config, list, plan);
    await failover.commit(plan);
    running.configuredAt = this.parts.clock.wall();
    for (const change of changes.slice(0, maxLoggedChanges)) this.parts.log.info(change);
    const unsaid = changes.length - maxLoggedChanges;
    if (unsaid > 0) this.parts.log.info(`and ${unsaid} more changes`);
    this.parts.log.info('configuration in force', { generation, changes: changes.length });
    this.stream.emit({ kind: 'reloaded', generation, changes });
    return { generation, changes };
  }

  private onDataplaneEvent(event: DataplaneEvent): void {
    const { log } = this.parts;
    switch (event.kind) {
      case 'device-attached':
        log.info('device attached', { device: event.device });
        this.stream.emit(event);
        this.onHostChanged();
        return;
      case 'device-detached':
        log.warn('device detached', { device: event.device, reason: event.reason });
        this.stream.emit(event);
        return;
      case 'addresses-changed':
        this.onHostChanged();
        return;
      case 'taken-up':
        log.info(event.message);
        return;
      case 'warning':
        log.warn(event.message);
        this.stream.emit(event);
        return;
      case 'limit':
        log.warn(event.message, { limit: event.limit });
        this.stream.emit(event);
        return;
      case 'failed':
        log.error(event.message);
        this.stream.emit(event);
        return;
      default:
        event satisfies never;
    }
  }

  private onHostChanged(): void {
    const { clock } = this.parts;
    if (this.cancelHostChange !== undefined) return;
    this.cancelHostChange = clock.at(addMicros(clock.now(), hostChangeDelay), () => {
      this.cancelHostChange = undefined;
      // In turn with a stop: what is under way ends before it, and nothing begins after it.
      return this.inTurn(async () => {
        if (this.state.kind === 'running') await this.state.running.engine.onHostChanged();
      });
    });
  }

  private requireRunning(): Running {
    if (this.state.kind === 'running' && !this.stopWanted.signal.aborted) return this.state.running;
    const why =
      this.stopWanted.signal.aborted || this.state.kind === 'stopped'
        ? 'it was stopped'
        : 'it has not started';
    throw new DirectorError('NOT_RUNNING', `the director is not running: ${why}`);
  }

  private logUndo(error: unknown): void {
    this.parts.log.error('cleaning up after a failed start', { reason: messageOf(error) });
  }
}

async function closeAll(servers: readonly ControlServer[]): Promise<void> {
  for (const server of servers) await server.close();
}
