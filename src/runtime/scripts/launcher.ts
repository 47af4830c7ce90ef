// The small process that starts programs for the director (addon/launcher): its requests and answers, and its life.
// The director itself may not fork: see docs/decisions/0005-scripts-by-a-launcher.md.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { encodeText } from '../../model/text.js';
import type { Catcher } from '../catcher.js';
import type { AccountIds } from './accounts.js';

/** `dies`: ended when the director ends, however it ends. `outlives`: goes on to its own end. */
export type OnOurEnd = 'dies' | 'outlives';

export type LaunchEvent =
  | { readonly kind: 'started'; readonly pid: number }
  /** It never ran. `step`: `account`, `exec`, `fork` or `null`. */
  | { readonly kind: 'failed'; readonly step: string; readonly errno: number }
  | { readonly kind: 'exited'; readonly status: number }
  | { readonly kind: 'signalled'; readonly signal: number }
  /** The launcher is gone, and nobody knows. */
  | { readonly kind: 'lost'; readonly why: string };

export type LauncherParts = {
  /** Of the executable; default: the one that was built with the addon. */
  readonly path?: string | undefined;
  readonly catcher: Pick<Catcher, 'run'>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** It died although nobody asked it to; the next program starts another. */
  readonly onDeath: (why: string) => void;
};

const builtPath = fileURLToPath(new URL('../../../build/addon/Release/uvs-launcher', import.meta.url));

export class Launcher {
  private process: ChildProcess | undefined;
  private input = '';
  private lastId = 0;
  private readonly listeners = new Map<number, (event: LaunchEvent) => void>();
  private isClosing = false;

  constructor(private readonly parts: LauncherParts) {}

  /** Starts the process if there is none: early, while the director is small and nobody waits. */
  prepare(): void {
    if (this.process !== undefined) return;
    const child = spawn(this.parts.path ?? builtPath, [], {
      stdio: ['pipe', 'pipe', 'ignore'],
      // A session of its own: Ctrl-C on our terminal reaches only us.
      detached: true,
      cwd: '/',
      env: this.parts.environment,
    });
    this.process = child;
    this.input = '';
    child.on('error', (error) => this.onGone(child, `it could not be started: ${error.message}`));
    child.on('exit', (status, signal) => this.onGone(child, `it ended by ${signal ?? `status ${status}`}`));
    child.stdin?.on('error', () => {});
    child.stdout?.setEncoding('utf8');
    child.stdout?.on('data', (text: string) => this.onAnswer(text));
    child.unref();
    for (const stream of [child.stdin, child.stdout]) (stream as Socket | null)?.unref();
  }

  /** Starts a program; `words[0]` is its absolute path. Events come later, the last one is the end. */
  run(
    words: readonly string[],
    { uid, gid }: Pick<AccountIds, 'uid' | 'gid'>,
    onOurEnd: OnOurEnd,
    onEvent: (event: LaunchEvent) => void,
  ): number {
    this.lastId += 1;
    if (this.isClosing) {
      queueMicrotask(() => onEvent({ kind: 'lost', why: 'it was told to end' }));
      return this.lastId;
    }
    this.prepare();
    this.listeners.set(this.lastId, onEvent);
    this.request(['run', String(this.lastId), String(uid), String(gid), onOurEnd, ...words]);
    return this.lastId;
  }

  /** SIGTERM to the program's group, and SIGKILL a second later. Ok when it has ended. */
  end(id: number): void {
    if (this.listeners.has(id)) this.request(['end', String(id)]);
  }

  /** Ends the programs that die with us; resolves when they and the launcher are gone. No other is started then. */
  close(): Promise<void> {
    this.isClosing = true;
    const child = this.process;
    if (child === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      child.on('exit', () => resolve());
      child.on('error', () => resolve());
      child.ref();
      child.stdin?.end();
    });
  }

  /** Its process id; undefined while there is none. */
  get pid(): number | undefined {
    return this.process?.pid;
  }

  private request(words: readonly string[]): void {
    const text = encodeText(words.map((word) => `${word.replaceAll('\0', '')}\0`).join(''));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    this.process?.stdin?.write(Buffer.concat([length, text]));
  }

  private onAnswer(text: string): void {
    const lines = (this.input + text).split('\n');
    this.input = lines.pop() ?? '';
    for (const line of lines) {
      const [word, id, ...rest] = line.split(' ');
      this.deliver(Number(id), eventOf(word ?? '', rest));
    }
  }

  private deliver(id: number, event: LaunchEvent): void {
    const listener = this.listeners.get(id);
    if (event.kind !== 'started') this.listeners.delete(id);
    this.parts.catcher.run(() => listener?.(event));
  }

  private onGone(child: ChildProcess, why: string): void {
    if (this.process !== child) return;
    this.process = undefined;
    // Whatever outlives us goes on, and nobody waits for it any more.
    if (this.isClosing) return;
    this.parts.onDeath(why);
    for (const id of [...this.listeners.keys()]) this.deliver(id, { kind: 'lost', why });
  }
}

function eventOf(word: string, rest: readonly string[]): LaunchEvent {
  const number = Number(rest.at(-1));
  if (word === 'started') return { kind: 'started', pid: number };
  if (word === 'exited') return { kind: 'exited', status: number };
  if (word === 'signalled') return { kind: 'signalled', signal: number };
  return { kind: 'failed', step: rest[0] ?? '', errno: number };
}
