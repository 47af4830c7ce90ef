// What is found on a machine: a fact, whether that is well, and what to do.

import type { DirectorConfig } from '../model/director-config.js';
import type { Machine } from './machine.js';

export type Finding = {
  /** Stable, for scripts. */
  readonly name: string;
  readonly level: 'ok' | 'warning' | 'error';
  readonly fact: string;
  readonly remedy?: string;
};

export type Situation = {
  /** Without it, what depends on it is not asked. */
  readonly config: DirectorConfig | undefined;
  readonly isDirectorRunning: boolean;
  /** Frames that the running director has left to the host for their VLAN id. */
  readonly taggedFrames?: bigint;
  /** What of the running director's own things in the kernel somebody else has changed. */
  readonly custody?: { readonly putBack: number; readonly deviations: readonly string[] } | undefined;
};

export type Check = (machine: Machine, situation: Situation) => readonly Finding[];

export function ok(name: string, fact: string, remedy?: string): Finding {
  return { name, level: 'ok', fact, ...(remedy === undefined ? {} : { remedy }) };
}

export function warning(name: string, fact: string, remedy: string): Finding {
  return { name, level: 'warning', fact, remedy };
}

export function error(name: string, fact: string, remedy: string): Finding {
  return { name, level: 'error', fact, remedy };
}

/** One finding a paragraph: level, name, what was seen, and what to do. */
export function formatFindings(findings: readonly Finding[]): string {
  return findings
    .map(({ level, name, fact, remedy }) => {
      const head = `${level.padEnd(8)}${name.padEnd(16)}${fact}\n`;
      return remedy === undefined ? head : `${head}${' '.repeat(24)}→ ${remedy}\n`;
    })
    .join('');
}
