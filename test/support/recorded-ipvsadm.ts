// What the real ipvsadm did with the kernel's IPVS, command by command, and the names that were known where it was recorded.

import type { Names } from '../../src/ipvsadm/values.js';
import { UnknownHost } from '../../src/ipvsadm/values.js';

export type RecordedCommand = {
  /** Words are separated by one blank. */
  readonly run: string;
  readonly stdin?: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
};

export type RecordedScenario = { readonly name: string; readonly commands: readonly RecordedCommand[] };

const ports: Readonly<Record<string, number>> = { http: 80, domain: 53, kerberos: 88, 'http-alt': 8080 };

export const recordedNames: Names = {
  host: (name) => {
    if (name.endsWith('.invalid') || /^[\d.]*$/.test(name)) return undefined;
    throw new UnknownHost(name);
  },
  port: (name) => ports[name],
};
