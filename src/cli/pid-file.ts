// The file with the process id, for scripts that look for one. The lock of the control socket keeps two directors apart;
// this file decides nothing, so a failure is a warning.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { requireReplaceable } from '../runtime/file-kind.js';
import type { Log } from '../runtime/log.js';
import { failureText } from '../runtime/scripts/script-machine.js';

/** `/run/uvs/director.pid` beside `/run/uvs/director.sock`. */
export function pidFileOf(socket: string): string {
  return `${socket.replace(/\.sock$/, '')}.pid`;
}

/**
 * Replaces a file or link that stands there and nothing else, and not the file of another director that lives. The function
 * that is returned removes it while it is ours.
 */
export function writePidFile(path: string, log: Log, nameOf = processName): () => void {
  const text = `${process.pid}\n`;
  const draft = `${path}.${process.pid}`;
  try {
    requireReplaceable(path);
    const other = Number(textOf(path));
    if (other !== process.pid && nameOf(other) === title) {
      log.warn(`the pid file ${path} is that of another director, which lives: it is left alone`, {
        pid: other,
        remedy: 'give each its own: --pid FILE',
      });
      return () => {};
    }
    writeFileSync(draft, text, { mode: 0o644, flag: 'wx' });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    log.warn(`there is no pid file ${path}`, { reason: failureText(error) });
    return () => {};
  }
  return () => {
    try {
      if (textOf(path) === text) rmSync(path, { force: true });
    } catch {
      // It is in the way of nobody: the next start replaces it.
    }
  };
}

/** '' when there is none. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** What the process is called; '' when there is none. */
function processName(pid: number): string {
  return Number.isInteger(pid) && pid > 0 ? textOf(`/proc/${pid}/comm`).trim() : '';
}

const title = 'director';

/** What ps, killall and pidof call this process; its command line stays as it was typed. */
export function nameProcess(): void {
  try {
    writeFileSync('/proc/self/comm', title);
  } catch {
    // Without /proc it stays `node`.
  }
}
