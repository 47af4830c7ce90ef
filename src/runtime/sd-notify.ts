// Tells systemd how the director is (sd_notify). The addon sends the datagram, which Node can't; without the addon
// `systemd-notify` does. Without $NOTIFY_SOCKET nobody listens, and nothing is done.

import { spawn } from 'node:child_process';
import { loadNative } from '../dataplane/native-module.js';
import { systemClock } from './clock.js';

/** Lines of `NAME=value`. Never throws: a service manager that can't be told is no reason to stop. */
export type Notify = (...lines: readonly string[]) => void;

type Environment = { readonly NOTIFY_SOCKET?: string | undefined };

export function createNotify(environment: Environment = process.env): Notify {
  if (environment.NOTIFY_SOCKET === undefined) return () => {};
  return (...lines) => {
    try {
      loadNative().sdNotify(lines.join('\n'));
    } catch {
      spawn('systemd-notify', lines, { stdio: 'ignore' }).on('error', () => {});
    }
  };
}

/** What announces a reload; READY=1 ends it. */
export function reloadingLines(): string[] {
  return ['RELOADING=1', `MONOTONIC_USEC=${systemClock.now()}`];
}
