// What `director status` says of virtual routers, sync groups and what has happened to them.

import { secondsText } from '../model/units.js';
import type { FailoverView, ScriptView, SyncGroupView, VirtualRouterView } from '../runtime/views.js';

/** Of the timeline, which has more of them with --verbose and --json. */
const shownTransitions = 5;

/** One fact a line, in the columns of `director status`; none without virtual routers. */
export function formatFailover(
  { virtualRouters, syncGroups, timeline, strays }: FailoverView,
  isVerbose = false,
): string[] {
  if (virtualRouters.length === 0) return [];
  return [
    ...virtualRouters.flatMap(routerLines),
    ...syncGroups.map(groupLine),
    ...(strays.unknownRouter + strays.short > 0
      ? [
          `strays         ${strays.unknownRouter} adverts for virtual routers that are not ours, ${strays.short} cut short`,
        ]
      : []),
    ...strays.senders.flatMap(({ device, source, virtualRouterId, count, claims }) =>
      claims === undefined
        ? []
        : [
            `${label('strays')}${source} on ${device}: ${count} for VRID ${virtualRouterId} with ${claims.address}, which ${claims.router} has under another VRID`,
          ],
    ),
    ...timeline
      .slice(isVerbose ? 0 : -shownTransitions)
      .toReversed()
      .map(
        ({ at, router, from, to, why }) =>
          `${label('timeline')}${timeText(at)} ${router}: ${from} → ${to}: ${why}`,
      ),
  ];
}

function routerLines(view: VirtualRouterView): string[] {
  const { name, device, family, version, virtualRouterId, addresses, excludedAddresses } = view;
  const all = [...addresses, ...excludedAddresses.map((address) => `${address} (excluded)`)];
  const isMissing = (view.state === 'master' || view.state === 'releasing') && !view.hasAddresses;
  const rest = [
    `VRID ${virtualRouterId} on ${device}, IPv${family}, version ${version}: ${all.join(', ') || 'no address'}`,
    ...(isMissing ? ['warning: not all of its addresses are on this machine'] : []),
    priorityText(view),
    advertText(view),
    budgetText(view),
    ...takeoverText(view),
  ];
  return [`${label('virtual router')}${name}: ${view.why}`, ...rest.map((line) => `${label('')}${line}`)];
}

function priorityText({ basePriority, priority, source }: VirtualRouterView): string {
  const configured = priority === basePriority ? '' : ` (configured ${basePriority})`;
  return `priority ${priority}${configured}, adverts from ${source ?? 'nowhere'}`;
}

function advertText({ counters }: VirtualRouterView): string {
  const { sent, received, sendFailures, rejected } = counters;
  const reasons = Object.entries(rejected).filter(([, count]) => count > 0);
  const last = counters.lastRejected;
  const values = last?.detail === undefined ? '' : ` (${last.source}: ${last.reason}: ${last.detail})`;
  const refused = reasons.map(([reason, count]) => `${count} ${reason}`).join(', ');
  const parts = [`adverts ${sent} sent, ${received} received`];
  if (sendFailures > 0) parts.push(`${sendFailures} not sent`);
  if (refused !== '') parts.push(`refused: ${refused}${values}`);
  return parts.join(', ');
}

function budgetText({ budget }: VirtualRouterView): string {
  const entries = budget.map(({ what, shortest, longest }) => {
    if (longest === 0) return `${what} 0 s`;
    const least = shortest === 0 ? 'up to' : `${(shortest / 1_000_000).toFixed(3)} to`;
    return `${what} ${least} ${secondsText(longest)}`;
  });
  return `budget: ${entries.join('; ')}`;
}

function takeoverText({ takeovers }: VirtualRouterView): string[] {
  const last = takeovers.at(-1);
  if (last === undefined) return [];
  const isLate = last.took > last.budget;
  const verdict = isLate ? (last.isWithin ? ', a little over it' : ', too long') : ', in time';
  const took = `${secondsText(last.took)} of ${secondsText(last.budget)}${verdict}`;
  return [`last takeover ${timeText(last.at)}: ${took}: ${last.why}`];
}

/** Who runs the scripts, how the tracked ones do, and what nobody runs. */
export function formatScripts(scripts: readonly ScriptView[]): string[] {
  const told = new Map<string, string[]>();
  const lines: string[] = [];
  for (const { title, runsAs, defect, dependents, isUp, lastResult } of scripts) {
    if (defect !== undefined || runsAs === undefined) {
      const harm = dependents.length === 0 ? '' : `; never master while that is so: ${dependents.join(', ')}`;
      lines.push(`${label('warning')}${title} ${defect?.why ?? 'is not run'}${harm}`);
      if (defect !== undefined) lines.push(`${label('')}→ ${defect.remedy}`);
    } else if (title.startsWith('script ')) {
      const verdict = isUp === undefined ? 'no result yet' : isUp ? 'good' : 'failed';
      const result = lastResult === undefined ? '' : ` (${lastResult})`;
      lines.push(`${label('script')}${title.slice('script '.length)}, run as ${runsAs}: ${verdict}${result}`);
    } else {
      told.set(runsAs, [...(told.get(runsAs) ?? []), title]);
    }
  }
  const rest = [...told].map(
    ([account, titles]) => `${label('scripts')}run as ${account}: ${titles.join(', ')}`,
  );
  return [...lines, ...rest];
}

function groupLine({ name, state, members }: SyncGroupView): string {
  return `${label('sync group')}${name} ${state ?? 'on its way'}: ${members.join(', ')}`;
}

function label(text: string): string {
  return text.padEnd(15);
}

/** As the log has it. */
function timeText(at: number): string {
  return new Date(at / 1_000).toISOString();
}
