// use_vmac: the device with the virtual router's MAC. Without a name it is called PREFIX.VRID; where that is taken (the
// same VRID for the other family or on another device) a number follows.

import type { RouterConfig } from '../../model/failover-config.js';
import type { VirtualRouter } from '../../model/virtual-router.js';
import type { Word } from '../lexer.js';
import { word } from '../print-words.js';
import type { Report } from '../report.js';
import { type Statement, settingOf } from '../tree.js';

export type ReadRouter = { readonly statement: Statement; readonly config: RouterConfig };

/** The routers with their devices named, in order. Reports names that are another's. Yields between some hundreds. */
export function nameVirtualMacs(
  routers: readonly ReadRouter[],
  prefix: string,
  report: Report,
): RouterConfig[] {
  const taken = new Set<string>();
  for (const read of routers) {
    const name = macWords(read)?.[0];
    if (name === undefined) continue;
    if (usableName(read) === undefined) {
      const message = `${name.text} is a device of its own, and no name for another one; the usual name is taken`;
      report.add('value-replaced', name, message);
      continue;
    }
    if (taken.has(name.text)) {
      const message = `two virtual routers have the device ${name.text}`;
      report.add('duplicate-name', name, message, 'give one of them another name');
    }
    taken.add(name.text);
  }
  const named: RouterConfig[] = [];
  for (const read of routers) {
    named.push(withVirtualMac(read, prefix, taken));
  }
  return named;
}

/** Adds the name to those that are taken. */
function withVirtualMac(read: ReadRouter, prefix: string, taken: Set<string>): RouterConfig {
  const { config } = read;
  const words = macWords(read);
  if (words === undefined) return config;
  const mac = words[1];
  const name = usableName(read) ?? freeName(prefix, config.router.virtualRouterId, taken);
  taken.add(name);
  const virtualMac = mac?.text.toLowerCase() ?? usualMac(config.router);
  return { ...config, router: { ...config.router, virtualMacDevice: name, virtualMac } };
}

/** undefined without `use_vmac`. */
function macWords({ statement: { block } }: ReadRouter): readonly Word[] | undefined {
  if (block === undefined) return undefined;
  return settingOf(block, 'use_vmac')?.arguments;
}

/** undefined without one, and where it is that of the interface itself. */
function usableName(read: ReadRouter): string | undefined {
  const name = macWords(read)?.[0]?.text;
  return name === read.config.router.device || name === 'lo' ? undefined : name;
}

function freeName(prefix: string, virtualRouterId: number, taken: ReadonlySet<string>): string {
  const usual = `${prefix}.${virtualRouterId}`;
  if (!taken.has(usual)) return usual;
  for (let number = 2; ; number++) {
    const name = `${usual}.${number}`;
    if (!taken.has(name)) return name;
  }
}

/** RFC 9568 7.3. */
export function usualMac({
  family,
  virtualRouterId,
}: Pick<VirtualRouter, 'family' | 'virtualRouterId'>): string {
  return `00:00:5e:00:0${family === 4 ? 1 : 2}:${virtualRouterId.toString(16).padStart(2, '0')}`;
}

export function macLine({ virtualMacDevice, virtualMac }: VirtualRouter): string[] {
  if (virtualMacDevice === undefined) return [];
  return [`use_vmac ${word(virtualMacDevice)} ${virtualMac}`];
}
