// The outage meter: a client that asks a service 100 times a second, each request on a connection of its own, and what
// its record says about interruptions. It is meter.c beside this file, a process of its own: a stall here is none there.
// Times are microseconds; `realMicros` of the record compares with captures and address watches.

import { compiled } from './compile.js';
import type { Host } from './lab.js';
import type { TrackedProcess } from './process.js';
import { waitFor } from './wait.js';

export type MeterOptions = {
  readonly port?: number;
  /** Requests a second; default 100. */
  readonly rate?: number;
  /** A request without an answer for this long has failed; default 250. */
  readonly timeout_ms?: number;
  /** One connection for all requests instead of one for each. */
  readonly isKept?: boolean;
};

/** One request that has ended. */
export type Asked = {
  readonly startedMicros: number;
  readonly endedMicros: number;
  /** Last word of the answer; undefined when there was none. */
  readonly name: string | undefined;
  /** `timeout`, `refused`, `reset`, `unreachable`, `closed` …; empty for an answer. */
  readonly failure: string;
};

export type Outage = {
  /** Longest time between one answer and the next. */
  readonly gapMicros: number;
  /** The answers at its ends, in microseconds of the real-time clock. */
  readonly lastBefore: number;
  readonly firstAfter: number;
  readonly answered: number;
  /** Requests that failed, by reason. */
  readonly failures: Readonly<Record<string, number>>;
  /** The longest that a request left late: the meter's own stalls, contained in the gap. */
  readonly lateMicros: number;
};

export class Meter {
  private constructor(
    readonly process: TrackedProcess,
    readonly target: string,
  ) {}

  /** Resolves when the first answer has come. */
  static async start(client: Host, address: string, options: MeterOptions = {}): Promise<Meter> {
    const meter = await Meter.launch(client, address, options);
    await waitFor(`the first answer from ${address}`, () => meter.record().some(isAnswer), {
      detail: () => meter.process.output().slice(-300),
    });
    return meter;
  }

  /** Starts asking only: nobody may be there yet. */
  static async launch(client: Host, address: string, options: MeterOptions = {}): Promise<Meter> {
    const program = await compiled(client.lab, 'meter');
    const words = [options.port ?? 80, options.rate ?? 100, options.timeout_ms ?? 250].map(String);
    const mode = options.isKept === true ? 'kept' : 'new';
    return new Meter(client.spawn([program, address, ...words, mode], { name: 'meter' }), address);
  }

  /** All requests that have ended, in the order in which they did, in microseconds of the real-time clock. */
  record(): readonly Asked[] {
    return parseRecord(this.process.output());
  }

  /** Waits until `count` requests in a row have been answered, the first of them later than `sinceMicros` (real time). */
  async waitForAnswers(count: number, sinceMicros = 0, timeout_s = 20): Promise<void> {
    await waitFor(
      `${count} answers in a row from ${this.target}`,
      () => {
        const last = this.record().slice(-count);
        return (
          last.length === count && last.every((asked) => isAnswer(asked) && asked.startedMicros > sinceMicros)
        );
      },
      { timeout_s, detail: () => this.process.output().slice(-300) },
    );
  }

  /** The longest interruption among the answers since `sinceMicros` (real time). */
  outage(sinceMicros = 0): Outage {
    return outageOf(this.record(), sinceMicros, this.#lateMicros());
  }

  /** Ends it; the record stays. */
  async stop(): Promise<void> {
    await this.process.stop('SIGTERM');
  }

  /** Known when it has been stopped. */
  #lateMicros(): number {
    return Number(/^end \d+ (\d+)$/m.exec(this.process.output())?.[1] ?? Number.NaN);
  }
}

/** The real-time clock, in microseconds, as records, captures and address watches have it. */
export function nowMicros(): number {
  return Date.now() * 1000;
}

export function isAnswer(asked: Asked): boolean {
  return asked.failure === '';
}

export function parseRecord(text: string): readonly Asked[] {
  const record: Asked[] = [];
  let offset = 0;
  // The line after the last line break is still being written.
  for (const line of text.split('\n').slice(0, -1)) {
    const [kind, first, second, word = ''] = line.split(' ');
    const [from, to] = [Number(first), Number(second)];
    if (kind === 'clock') offset = to - from;
    if (kind !== 'reply' && kind !== 'failure') continue;
    const isReply = kind === 'reply';
    record.push({
      startedMicros: from + offset,
      endedMicros: to + offset,
      name: isReply ? word : undefined,
      failure: isReply ? '' : word,
    });
  }
  return record;
}

export function outageOf(record: readonly Asked[], sinceMicros: number, lateMicros: number): Outage {
  const answers = record.filter(isAnswer).map((asked) => asked.endedMicros);
  let [lastBefore, firstAfter] = [Number.NaN, Number.NaN];
  for (const [index, end] of answers.entries()) {
    const before = answers[index - 1];
    if (before === undefined || end < sinceMicros) continue;
    if (!(end - before <= firstAfter - lastBefore)) [lastBefore, firstAfter] = [before, end];
  }
  const failures: Record<string, number> = {};
  for (const { failure, endedMicros } of record) {
    if (failure !== '' && endedMicros >= sinceMicros) failures[failure] = (failures[failure] ?? 0) + 1;
  }
  return {
    gapMicros: firstAfter - lastBefore,
    lastBefore,
    firstAfter,
    answered: answers.filter((end) => end >= sinceMicros).length,
    failures,
    lateMicros,
  };
}
