// Runs the checkers: feeds them deadlines and results, executes their actions, and keeps them in one schedule with
// one timer. What a verdict means for the pool is the engine's business.

import {
  type CheckerAction,
  type CheckerEvent,
  type CheckerState,
  checkerDeadline,
  type ProbeResult,
  startChecker,
  stepChecker,
} from '../health/checker.js';
import { Schedule } from '../health/schedule.js';
import type { CheckerPolicy } from '../model/director-config.js';
import { type Micros, micros } from '../model/units.js';
import type { Cancel, Clock } from './clock.js';
import type { Log } from './log.js';
import { messageOf } from './message-of.js';
import { ProbeGate, type Ticket } from './probe-gate.js';
import { type Probes, type RunningProbe, startProbe } from './probes/probe.js';

/** The engine's handle on a checker; `state` is replaced by each step. */
export type Checker = {
  readonly policy: CheckerPolicy;
  /** Called on each change of its verdict; `reason` in words. Its owner sets it. */
  onVerdict: (reason: string) => void;
  /** What it checks, for the log: `10.0.0.21:80 of tcp 10.0.0.100:80`. */
  readonly subject: string;
  state: CheckerState;
  /** Why the newest failed probe failed; undefined after a passed one. */
  lastFailure: string | undefined;
  ticket: Ticket | undefined;
  running: RunningProbe | undefined;
};

/** At most so many checkers are stepped in one turn of the event loop. */
const maxStepsPerTurn = 500;

/**
 * Deadlines that lie close together become one: a thousand checkers that are each alone in waking the process cost three times
 * as much as twenty a time. Late by a fiftieth of a round, and by 200 ms, at most.
 */
const longestGrain = 200_000;

function deadlineOf({ policy, state }: Checker): Micros | undefined {
  const deadline = checkerDeadline(state);
  if (deadline === undefined) return undefined;
  const grain = Math.max(1, Math.min(Math.floor(policy.delayLoop / 50), longestGrain));
  return micros(Math.ceil(deadline / grain) * grain);
}

export class HealthRunner {
  private readonly schedule = new Schedule<Checker>();
  private readonly gate: ProbeGate;
  private cancelAlarm: Cancel | undefined;
  private alarmAt: Micros | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly probes: Probes,
    private readonly random: () => number,
    private readonly log: Log,
  ) {
    this.gate = new ProbeGate(clock);
  }

  get checkerCount(): number {
    return this.checkers.size;
  }

  private readonly checkers = new Set<Checker>();

  /** A checker that does nothing before `start`. `wasUp`: the verdict of the one it replaces. */
  make(policy: CheckerPolicy, subject: string, wasUp: boolean | undefined): Checker {
    return {
      policy,
      onVerdict: () => {},
      subject,
      state: startChecker(policy, this.clock.now(), this.random(), wasUp),
      lastFailure: undefined,
      ticket: undefined,
      running: undefined,
    };
  }

  start(checker: Checker): void {
    this.checkers.add(checker);
    this.schedule.set(checker, deadlineOf(checker));
    this.setAlarm();
  }

  remove(checker: Checker): void {
    if (!this.checkers.delete(checker)) return;
    const { actions } = stepChecker(checker.policy, checker.state, { kind: 'stop' }, this.clock.now());
    for (const action of actions) this.execute(checker, action);
    this.schedule.set(checker, undefined);
  }

  /** Probes servers that are down without waiting for their turn. */
  hurry(): void {
    for (const checker of this.checkers) this.step(checker, { kind: 'hurry' });
    this.setAlarm();
  }

  stop(): void {
    for (const checker of this.checkers) this.remove(checker);
    this.cancelAlarm?.();
    this.cancelAlarm = undefined;
    this.gate.close();
  }

  private step(checker: Checker, event: CheckerEvent): void {
    if (!this.checkers.has(checker)) return;
    if (event.kind === 'result') {
      checker.lastFailure = event.result.kind === 'passed' ? undefined : event.result.reason;
    }
    const { state, actions } = stepChecker(checker.policy, checker.state, event, this.clock.now());
    checker.state = state;
    this.schedule.set(checker, deadlineOf(checker));
    for (const action of actions) this.execute(checker, action);
  }

  private execute(checker: Checker, action: CheckerAction): void {
    switch (action.kind) {
      case 'start-probe':
        checker.ticket = this.gate.enter(checker.state.isUp, () => this.startProbe(checker, action.probe));
        return;
      case 'cancel-probe':
        checker.running?.cancel();
        this.endProbe(checker);
        return;
      case 'server-up':
        checker.onVerdict('the check passed');
        return;
      case 'server-down':
        checker.lastFailure = action.reason;
        checker.onVerdict(action.reason);
        return;
      case 'log':
        this.log.info('check failed', {
          server: checker.subject,
          check: checker.policy.kind,
          reason: action.text,
        });
        return;
      default:
        action satisfies never;
    }
  }

  private startProbe(checker: Checker, probe: number): void {
    const onResult = (result: ProbeResult) => {
      this.endProbe(checker);
      this.step(checker, { kind: 'result', probe, result });
      this.setAlarm();
    };
    try {
      checker.running = startProbe(this.probes, checker.policy, onResult);
    } catch (error) {
      // It has its place in line already, and must not wait there for ever.
      const reason = messageOf(error);
      checker.running = { cancel: this.clock.soon(() => onResult({ kind: 'unable', reason })) };
    }
    this.step(checker, { kind: 'probe-started', probe });
    this.setAlarm();
  }

  private endProbe(checker: Checker): void {
    if (checker.ticket !== undefined) this.gate.leave(checker.ticket);
    checker.ticket = undefined;
    checker.running = undefined;
  }

  private setAlarm(): void {
    const next = this.schedule.next();
    if (this.cancelAlarm !== undefined && this.alarmAt === next) return;
    this.cancelAlarm?.();
    this.cancelAlarm = undefined;
    this.alarmAt = next;
    if (next !== undefined) this.cancelAlarm = this.clock.at(next, () => this.onAlarm());
  }

  private onAlarm(): void {
    this.cancelAlarm = undefined;
    const now = this.clock.now();
    for (let steps = 0; steps < maxStepsPerTurn; steps++) {
      const checker = this.schedule.takeDue(now);
      if (checker === undefined) break;
      this.step(checker, { kind: 'deadline' });
    }
    this.setAlarm();
  }
}
