// use_vmac: the device with the virtual router's MAC. Without a name it is called PREFIX.VRID; where that is taken (the
// same VRID for the other family or on another device) a number follows.

import type { RouterConfig } from '../../model/failover-config.js';
import type { VirtualRouter } from '../../model/virtual-router.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import { type Statement, settingOf } from '../tree.js';

export type ReadRouter = { readonly statement: Statement; readonly config: RouterConfig };

const longestName = 15;

/** The routers with their devices named, in order. Reports names that cannot be, or are another's. */
export function nameVirtualMacs(
  routers: readonly ReadRouter[],
  prefix: string,
  report: Report,
): RouterConfig[] {
  const taken = new Set<string>();
  for (const read of routers) {
    const name = writtenName(read);
    if (name === undefined) continue;
    if (taken.has(name.text)) {
      const message = `two virtual routers have the device ${name.text}`;
      report.add('duplicate-name', name, message, 'give one of them another name');
    } else if (!isDeviceName(name.text)) {
      const message = `${name.text} is no name of a device: ${longestName} characters at most, without / and :`;
      report.add('invalid-value', name, message);
    }
    taken.add(name.text);
  }
  return routers.map((read) => {
    const words = macWords(read);
    if (words === undefined) return read.config;
    const { router } = read.config;
    const name = words[0]?.text ?? freeName(prefix, router.virtualRouterId, taken);
    taken.add(name);
    const mac = words[1] === undefined ? usualMac(router) : readMac(words[1], report);
    return { ...read.config, router: { ...router, virtualMacDevice: name, virtualMac: mac } };
  });
}

/** undefined without `use_vmac`. */
function macWords({ statement: { block } }: ReadRouter): readonly Word[] | undefined {
  if (block === undefined) return undefined;
  return settingOf(block, 'use_vmac')?.arguments;
}

function writtenName(read: ReadRouter): Word | undefined {
  return macWords(read)?.[0];
}

export function isDeviceName(text: string): boolean {
  return (
    /^[^\s/:]+$/.test(text) &&
    text !== '.' &&
    text !== '..' &&
    new TextEncoder().encode(text).length <= longestName
  );
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

function readMac(word: Word, report: Report): string {
  const mac = word.text.toLowerCase();
  const first = Number.parseInt(mac.slice(0, 2), 16);
  if (!/^[\da-f]{2}(?::[\da-f]{2}){5}$/.test(mac)) {
    report.add('invalid-value', word, `${word.text} is no MAC address`, 'write it as 02:00:00:00:00:01');
  } else if (first % 2 === 1) {
    report.add('invalid-value', word, `${word.text} is the MAC address of a group`);
  }
  return mac;
}
