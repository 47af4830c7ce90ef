// Short ways to parse a text in a test and to look at what was said of it.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ParseRequest, type ParseResult, parseConfig } from '../../src/config/index.js';
import type { DirectorConfig } from '../../src/model/director-config.js';
import { decodeText } from '../../src/model/text.js';
import type { VirtualRouter } from '../../src/model/virtual-router.js';

const configs = fileURLToPath(new URL('./configs/', import.meta.url));

/** Names of the sample files in `valid` or `broken`. */
export function sampleNames(folder: 'valid' | 'broken' | 'users'): string[] {
  return readdirSync(`${configs}${folder}`).toSorted();
}

export function sampleText(folder: 'valid' | 'broken' | 'users', name: string): string {
  return decodeText(readFileSync(`${configs}${folder}/${name}`));
}

export function parseText(text: string, request: Partial<ParseRequest> = {}): ParseResult {
  return parseConfig({ file: 'director.conf', text, ...request });
}

/** `LINE:COLUMN severity code`, one for each diagnostic. */
export function said({ diagnostics }: ParseResult): string[] {
  return diagnostics.map(
    ({ origin, severity, code }) => `${origin.line}:${origin.column} ${severity} ${code}`,
  );
}

/** The configuration of a text that must be good; remarks are allowed. */
export function configOf(text: string, request: Partial<ParseRequest> = {}): DirectorConfig {
  const result = parseText(text, request);
  if (result.config === undefined) throw new Error(said(result).join('\n'));
  return result.config;
}

/** Equality of configurations is equality of what they say, not of where they say it. */
export function withoutOrigins<T>(value: T): T {
  return JSON.parse(JSON.stringify(value, (key, field) => (key === 'origin' ? undefined : field)));
}

/** Without what `printConfig` leaves out, too: what was not understood as written. */
export function asPrinted<T>(value: T): T {
  const unprinted = { notAsWritten: [], leftOut: [] };
  const text = JSON.stringify(withoutOrigins(value), (key, field) => (key in unprinted ? [] : field));
  return text === undefined ? value : JSON.parse(text);
}

/** A vrrp_instance with a VRID, an address unless the lines speak of some, and the lines from line 3 on. */
export const instance = (lines: string, name = 'a', id = 51) =>
  `vrrp_instance ${name} {\nvirtual_router_id ${id}\n${lines}\n${
    lines.includes('virtual_ipaddress') ? '' : 'virtual_ipaddress { 10.9.0.1 }'
  }\n}\n`;

/** The virtual router of an instance with these lines, and these in global_defs. */
export function routerOf(lines: string, globals = ''): VirtualRouter {
  const [first] = configOf(`${instance(lines)}global_defs {\n${globals}\n}`).failover.routers;
  if (first === undefined) throw new Error('no router');
  return first.router;
}
