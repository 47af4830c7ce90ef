// The file with the process id, for scripts that look for one. The lock of the control socket keeps two directors apart;
// this file decides nothing, so a failure is a warning.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { requireReplaceable } from '../runtime/file-kind.js';
import type { Log } from '../runtime/log.js';

/** `/run/uvs/director.pid` beside `/run/uvs/director.sock`. */
export function pidFileOf(socket: string): string {
  return `${socket.replace(/\.sock$/, '')}.pid`;
}

/** Replaces a file or link that stands there, and nothing else. The function that is returned removes it while it is ours. */
export function writePidFile(path: string, log: Log): () => void {
  const text = `${process.pid}\n`;
  const draft = `${path}.${process.pid}`;
  try {
    requireReplaceable(path);
    writeFileSync(draft, text, { mode: 0o644, flag: 'wx' });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    log.warn(`there is no pid file ${path}`, { reason: String(error) });
    return () => {};
  }
  return () => {
    try {
      if (readFileSync(path, 'utf8') === text) rmSync(path, { force: true });
    } catch {
      // Somebody has removed it already.
    }
  };
}

/** What ps, killall and pidof call this process; its command line stays as it was typed. */
export function nameProcess(): void {
  try {
    writeFileSync('/proc/self/comm', 'director');
  } catch {
    // Without /proc it stays `node`.
  }
}
