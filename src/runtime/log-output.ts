// Where a program's words go: a descriptor behind a thread of the addon, so that no disk, pipe or reader can hold the
// program up or end it. What can't be written is lost and counted.

import { loadNative } from '../dataplane/native-module.js';

export interface LogOutput {
  /** Whole lines. Never waits, never throws. */
  write(lines: string): void;
  /** What was lost since the start; `isOver`: something was written after the newest loss. */
  loss(): LogLoss;
}

/** The process's own: what is written past it (a last sentence) can be made to stand behind. */
export type OpenLogOutput = LogOutput & {
  /** Waits for what is not written yet, half a second at most. */
  readonly drain: () => void;
};

export type LogLoss = { readonly count: number; readonly reason: string; readonly isOver: boolean };

/** How long its reader is waited for. */
const lastWords_ms = 500;

/**
 * The process's standard output (1) or error (2), for the rest of its life. Throws NATIVE_MISSING. The process's end
 * waits a moment for what is not written yet.
 */
export function openLogOutput(descriptor: 1 | 2): OpenLogOutput {
  const writer = new (loadNative().LineWriter)(descriptor);
  const drain = (): void => {
    writer.drain(lastWords_ms);
  };
  process.on('exit', drain);
  return {
    write: (lines) => writer.write(lines.endsWith('\n') || lines === '' ? lines : `${lines}\n`),
    loss: () => writer.loss(),
    drain,
  };
}
