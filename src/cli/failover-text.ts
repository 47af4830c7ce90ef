// What `director status` says of virtual routers, sync groups and what has happened to them.

import type { FailoverView, ScriptView, SyncGroupView, VirtualRouterView } from '../runtime/views.js';

/** Of the timeline, which has more of them with --json. */
const shownTransitions = 5;

/** One fact a line, in the columns of `director status`; none without virtual routers. */
export function formatFailover({ virtualRouters, syncGroups, timeline, strays }: FailoverView): string[] {
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
      .slice(-shownTransitions)
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
  const refused = reasons.map(([reason, count]) => `${count} ${reason}`).join(', ');
  const parts = [`adverts ${sent} sent, ${received} received`];
  if (sendFailures > 0) parts.push(`${sendFailures} not sent`);
  if (refused !== '') parts.push(`refused: ${refused}`);
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
  const verdict = last.isWithin ? ', in time' : ', too long';
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

function secondsText(duration: number): string {
  return `${(duration / 1_000_000).toFixed(3)} s`;
}

/** Local time, to the millisecond. */
function timeText(at: number): string {
  const date = new Date(at / 1_000);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
