// Long connections that prove they are whole (dialogue.c beside this file): how many broke, and how, while something
// happened to the director between them and their servers.

import { compiled } from './compile.js';
import type { Host } from './lab.js';
import { nowMicros } from './meter.js';
import type { TrackedProcess } from './process.js';
import { waitFor } from './wait.js';

/** What became of the connections of a dialogue since it began. */
export type Endurance = {
  readonly open: number;
  /** Connections that ended, by how: `reset`, `closed`, `timeout`, `misdirected`, `garbled` … */
  readonly broken: Readonly<Record<string, number>>;
  /** Messages that were answered. */
  readonly answered: number;
};

/** Answers dialogues at `address`; `host`'s name is what the other side checks. */
export async function serveDialogue(host: Host, address: string, port: number): Promise<TrackedProcess> {
  const program = await compiled(host.lab, 'dialogue');
  const child = host.spawn([program, 'serve', address, String(port), host.name], { name: 'dialogue' });
  await child.waitForOutput(/listening/);
  return child;
}

/** `count` connections from one host; each sends a message every `every_ms` once the one before was answered. */
export class Dialogue {
  private constructor(
    readonly process: TrackedProcess,
    readonly count: number,
  ) {}

  /** Resolves when every connection has had an answer. */
  static async start(
    client: Host,
    address: string,
    port: number,
    { count = 100, every_ms = 100 } = {},
  ): Promise<Dialogue> {
    const program = await compiled(client.lab, 'dialogue');
    const words = [program, 'ask', address, String(port), String(count), String(every_ms)];
    const dialogue = new Dialogue(client.spawn(words, { name: 'dialogue' }), count);
    await dialogue.waitForAll();
    return dialogue;
  }

  /** Waits until every connection that is still open has been answered a message that it sent after `sinceMicros`. */
  async waitForAll(sinceMicros = nowMicros(), timeout_s = 60): Promise<void> {
    await waitFor(
      'an answer on every connection',
      () => (this.#progress().at(-1)?.oldest ?? 0) > sinceMicros,
      { timeout_s, interval_ms: 50, detail: () => this.process.output().slice(-500) },
    );
  }

  endurance(): Endurance {
    const broken: Record<string, number> = {};
    for (const [, reason = ''] of this.process.output().matchAll(/^broken \d+ (\S+)$/gm)) {
      broken[reason] = (broken[reason] ?? 0) + 1;
    }
    const last = this.#progress().at(-1);
    return { open: last?.open ?? 0, broken, answered: last?.answered ?? 0 };
  }

  /** The longest that a message waited for its answer, in microseconds, in all that was reported since line `since`. */
  longestWait(since = 0): number {
    return Math.max(
      0,
      ...this.#progress()
        .slice(since)
        .map(({ worst }) => worst),
    );
  }

  /** How many reports there are so far: the mark for `longestWait`. */
  get reports(): number {
    return this.#progress().length;
  }

  async stop(): Promise<void> {
    await this.process.stop('SIGTERM');
  }

  #progress(): readonly { open: number; answered: number; oldest: number; worst: number }[] {
    const lines = [...this.process.output().matchAll(/^progress (\d+) (\d+) (\d+) (\d+)$/gm)];
    return lines.map(([, ...words]) => {
      const [open = 0, answered = 0, oldest = 0, worst = 0] = words.map(Number);
      return { open, answered, oldest, worst };
    });
  }
}
