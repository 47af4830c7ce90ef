// The last line of `check`: what was understood of a configuration, in one line.

import type { ConfigSum, Diagnostic, Severity } from '../config/index.js';
import type { DirectorConfig } from '../model/director-config.js';
import { counted } from '../model/units.js';
import { scriptOutlooks } from '../runtime/scripts/script-outlook.js';
import type { Finding } from './finding.js';
import type { Machine } from './machine.js';

/** `good, 1 warning` or `2 errors, 1 warning, 1 notice`. */
export function verdictText(diagnostics: readonly Diagnostic[]): string {
  const severities: readonly Severity[] = ['error', 'warning', 'notice'];
  const counts = severities.flatMap((severity) => {
    const count = diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
    return count === 0 ? [] : [{ severity, text: counted(count, severity) }];
  });
  const texts = counts.map(({ text }) => text);
  return (counts[0]?.severity === 'error' ? texts : ['good', ...texts]).join(', ');
}

/** `, 1 error on this machine`: what a good text does not help against. */
export function machineText(findings: readonly Finding[]): string {
  const errors = findings.filter(({ level }) => level === 'error').length;
  return errors === 0 ? '' : `, ${counted(errors, 'error')} on this machine`;
}

/** `3 services with 6 servers, 1 not as written; 2 virtual routers; 4 scripts: 3 of them run`; `running`: where it is known. */
export function sumText(sum: ConfigSum, running?: number): string {
  const parts = [
    ...(sum.services === 0 ? [] : [servicesText(sum)]),
    ...(sum.virtualRouters === 0 ? [] : [counted(sum.virtualRouters, 'virtual router')]),
    ...(sum.staticAddresses === 0 ? [] : [counted(sum.staticAddresses, 'static address', 'es')]),
    ...(sum.scripts === 0 ? [] : [scriptsText(sum.scripts, running)]),
  ];
  return parts.length === 0 ? 'no service, no virtual router' : parts.join('; ');
}

/** How many of the configuration's scripts have somebody to run as on this machine. */
export function scriptsThatRun({ failover }: DirectorConfig, machine: Machine): number {
  return scriptOutlooks(failover, machine.inspect).filter(({ runsAs }) => runsAs !== undefined).length;
}

function servicesText({ services, servers, notAsWritten, leftOut }: ConfigSum): string {
  return [
    `${counted(services, 'service')} with ${counted(servers, 'server')}`,
    ...(notAsWritten === 0 ? [] : [`${notAsWritten} not as written`]),
    ...(leftOut === 0 ? [] : [`${leftOut} left out`]),
  ].join(', ');
}

function scriptsText(scripts: number, running: number | undefined): string {
  const count = counted(scripts, 'script');
  if (running === undefined) return count;
  if (running === 0) return `${count}: none runs`;
  return running === scripts ? `${count}: all run` : `${count}: ${running} of them run`;
}
