// A script runner without processes: a test sees what would run, and says how it ends.

import type { ScriptCommand, ScriptPolicy } from '../../src/model/failover-config.js';
import type { OnOurEnd } from '../../src/runtime/scripts/launcher.js';
import type { Inspection, ScriptDefect } from '../../src/runtime/scripts/script-inspection.js';
import type { Run, ScriptEnd, ScriptRunner } from '../../src/runtime/scripts/script-runner.js';

export type FakeRun = {
  readonly command: ScriptCommand;
  readonly policy: ScriptPolicy;
  readonly onOurEnd: OnOurEnd;
  /** How often its end was wanted. */
  endCount: number;
  /** It has ended like this. */
  readonly finish: (end: ScriptEnd) => void;
};

export class FakeScriptRunner implements ScriptRunner {
  /** Running now, in the order of their start. */
  running: FakeRun[] = [];
  /** Words of everything that was ever started. */
  readonly started: string[] = [];
  /** Program → what is wrong with it. */
  readonly defects = new Map<string, ScriptDefect>();

  inspect({ words: [program = ''] }: ScriptCommand): Inspection {
    return this.defects.get(program) ?? { runsAs: 'somebody' };
  }

  run(
    command: ScriptCommand,
    policy: ScriptPolicy,
    onOurEnd: OnOurEnd,
    onEnd: (end: ScriptEnd) => void,
  ): Run {
    const found = this.inspect(command);
    if ('why' in found) {
      queueMicrotask(() => onEnd({ kind: 'not-run', why: found.why }));
      return { end: () => {} };
    }
    const run: FakeRun = {
      command,
      policy,
      onOurEnd,
      endCount: 0,
      finish: (end) => {
        this.running = this.running.filter((other) => other !== run);
        onEnd(end);
      },
    };
    this.running.push(run);
    this.started.push(command.words.join(' '));
    return {
      end: () => {
        run.endCount += 1;
      },
    };
  }

  /** The oldest that runs ends with this status. */
  exit(status: number): void {
    const [run] = this.running;
    if (run === undefined) throw new Error('nothing runs');
    run.finish({ kind: 'exited', status });
  }
}

export const noPolicy: ScriptPolicy = { account: undefined, isSecure: false };
