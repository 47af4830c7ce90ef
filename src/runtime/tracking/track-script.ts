// One `vrrp_script` as it runs: the state of src/vrrp/tracking.ts, its alarm and its process. Two runs never overlap:
// one that comes due while the one before is still dying waits for its end.

import type { ScriptPolicy } from '../../model/failover-config.js';
import type { Micros } from '../../model/units.js';
import type { TrackScript } from '../../model/virtual-router.js';
import {
  type ScriptAction,
  type ScriptEvent,
  type ScriptState,
  scriptDeadline,
  startScript,
  stepScript,
} from '../../vrrp/tracking.js';
import type { Cancel, Clock } from '../clock.js';
import type { Log } from '../log.js';
import type { ScriptDefect } from '../scripts/script-inspection.js';
import { endText, type Run, type ScriptEnd, type ScriptRunner } from '../scripts/script-runner.js';

export type ScriptStatus = {
  readonly name: string;
  /** undefined: no result yet. */
  readonly isUp: boolean | undefined;
  /** `exit status 1`, `timeout`, `SIGSEGV`; undefined before the first result. */
  readonly lastResult: string | undefined;
  readonly exitStatus: number | undefined;
  /** Wall-clock time of the last result. */
  readonly at: Micros | undefined;
  readonly isRunning: boolean;
  /** The account; undefined: it can not be run. */
  readonly runsAs: string | undefined;
  readonly defect: ScriptDefect | undefined;
};

type Result = { readonly text: string; readonly exitStatus: number | undefined; readonly at: Micros };

/** What the shell says of a program that can not be run. */
const notRunStatus = 126;

export class TrackedScript {
  defect: ScriptDefect | undefined;
  private runsAs: string | undefined;
  private state: ScriptState;
  private last: Result | undefined;
  private process: Run | undefined;
  /** The run that waits for the process to end; undefined: none. */
  private nextRun: number | undefined;
  private cancelAlarm: Cancel = () => {};
  private isStopped = false;

  /** `isUp`: what it counts as until its first result; undefined: as `init_fail` has it. */
  constructor(
    readonly script: TrackScript,
    readonly policy: ScriptPolicy,
    isUp: boolean | undefined,
    private readonly parts: { readonly clock: Clock; readonly log: Log; readonly runner: ScriptRunner },
    private readonly onChange: () => void,
  ) {
    const state = startScript(script, parts.clock.now());
    this.state = isUp === undefined ? state : { ...state, isUp };
    this.look();
    this.arm();
  }

  get isUp(): boolean | undefined {
    return this.defect === undefined ? this.state.isUp : false;
  }

  get status(): ScriptStatus {
    const { defect, last, state } = this;
    return {
      name: this.script.name,
      isUp: this.isUp,
      lastResult: last?.text,
      exitStatus: last?.exitStatus,
      at: last?.at,
      isRunning: state.phase.kind === 'running',
      runsAs: this.runsAs,
      defect,
    };
  }

  /** Looks whether it can be run, now and at each run; a defect is said once. */
  look(): void {
    const found = this.parts.runner.inspect(this.command, this.policy);
    const defect = 'why' in found ? found : undefined;
    this.runsAs = 'why' in found ? undefined : found.runsAs;
    if (defect?.why === this.defect?.why) return;
    this.defect = defect;
    const { name } = this.script;
    if (defect === undefined) this.parts.log.info(`script ${name} can be run now`);
    else this.parts.log.warn(`script ${name} ${defect.why}`, { remedy: defect.remedy });
    this.onChange();
  }

  stop(): void {
    this.isStopped = true;
    this.cancelAlarm();
    this.nextRun = undefined;
    this.process?.end();
  }

  private get command() {
    return { words: this.script.command, account: this.script.account };
  }

  private step(event: ScriptEvent): void {
    const { state, actions } = stepScript(this.script, this.state, event, this.parts.clock.now());
    this.state = state;
    for (const action of actions) this.perform(action);
    this.arm();
  }

  private arm(): void {
    this.cancelAlarm();
    if (this.isStopped) return;
    this.cancelAlarm = this.parts.clock.at(scriptDeadline(this.state), () => this.step({ kind: 'deadline' }));
  }

  private perform(action: ScriptAction): void {
    switch (action.kind) {
      case 'run-script':
        if (this.process === undefined) this.start(action.run);
        else this.nextRun = action.run;
        return;
      case 'kill-script':
        this.note('timeout', undefined);
        this.nextRun = undefined;
        this.process?.end();
        return;
      case 'script-result':
        this.report(action.isUp);
        return;
      default:
        action satisfies never;
    }
  }

  private start(run: number): void {
    this.look();
    this.process = this.parts.runner.run(this.command, this.policy, 'dies', (end) => this.onEnd(run, end));
  }

  private onEnd(run: number, end: ScriptEnd): void {
    this.process = undefined;
    if (this.isStopped) return;
    const isAwaited = this.state.phase.kind === 'running' && this.state.run === run;
    if (isAwaited) this.conclude(run, end);
    const next = this.nextRun;
    this.nextRun = undefined;
    if (next !== undefined) this.start(next);
  }

  private conclude(run: number, end: ScriptEnd): void {
    if (end.kind === 'inconclusive') {
      this.parts.log.warn(`script ${this.script.name} ${end.why}`);
      this.step({ kind: 'inconclusive', run });
      return;
    }
    const status = end.kind === 'exited' ? end.status : notRunStatus;
    this.note(endText(end), end.kind === 'exited' ? status : undefined);
    this.step({ kind: 'exited', run, status });
  }

  private note(text: string, exitStatus: number | undefined): void {
    this.last = { text, exitStatus, at: this.parts.clock.wall() };
  }

  private report(isUp: boolean): void {
    const fields = { result: this.last?.text };
    if (isUp) this.parts.log.info(`script ${this.script.name} succeeded`, fields);
    else this.parts.log.warn(`script ${this.script.name} failed`, fields);
    if (this.defect === undefined) this.onChange();
  }
}
