// `director status`: how the director is, for people: what is in force, what is up, and what is wrong.

import { endpointText, serviceKey } from '../model/service-id.js';
import { durationText } from '../model/units.js';
import type { CheckerView, DirectorStatus, ServerView, ServiceView } from '../runtime/views.js';
import { type AddVerb, clientOf, jsonOption, print, printJson, socketOption } from './command.js';
import { formatFailover, formatScripts } from './failover-text.js';

type Options = { readonly socket: string; readonly json?: true; readonly verbose?: true };

export const addStatus: AddVerb = (program) => {
  program
    .command('status')
    .description('how the director is: services, servers that fail, devices, virtual routers')
    .option('--verbose', 'with what it works by: devices, rings, programs, the whole timeline')
    .addOption(socketOption())
    .addOption(jsonOption())
    .action(status);
};

async function status(options: Options): Promise<void> {
  const client = clientOf(options);
  const answer = (await client.get('/v1/status')) as DirectorStatus;
  if (options.json) return printJson(answer);
  const { services } = (await client.get('/v1/services')) as { readonly services: readonly ServiceView[] };
  print(formatStatus(answer, services, options.verbose));
}

/** The text, one fact a line. */
export function formatStatus(
  answer: DirectorStatus,
  services: readonly ServiceView[],
  isVerbose = false,
): string {
  const { dataplane, services: counts, servers } = answer;
  const since = answer.isCurrent ? '' : ' (a change has not reached the data plane)';
  const lines = [
    `director ${answer.version}, pid ${answer.pid}, up ${durationText(answer.uptime)}`,
    `configuration  ${answer.source}, generation ${answer.generation}${since}`,
    `services       ${counts.up} up, ${counts.down} down, ${counts.draining} draining${standbyText(counts)}`,
    `servers        ${serversText(servers)}`,
    `connections    ${dataplane.connectionCount} of at most ${dataplane.connectionLimit}`,
    `devices        ${devicesText(dataplane.devices)}`,
    ...(isVerbose ? internals(answer) : []),
    ...answer.missingAddresses.map((address) => `warning        ${address} is on no device of this machine`),
    ...custodyLines(answer.custody),
    ...(answer.log.lost === 0 ? [] : [`warning        ${answer.log.lost} log lines could not be written`]),
    ...answer.leftOut.map(
      ({ name, reason, origin: { file, line } }) =>
        `not served     ${name}: ${reason} is not in effect yet (${file}:${line})`,
    ),
    ...shortened(
      answer.runTimeChanges.map((change) => `changed        ${change}`),
      isVerbose,
    ),
    ...shortened(services.flatMap(troubleOf), isVerbose),
    ...formatFailover(answer, isVerbose),
    ...formatScripts(answer.scripts),
  ];
  return `${lines.join('\n')}\n`;
}

/** What somebody else does to what is ours. */
function custodyLines({ putBack, deviations }: DirectorStatus['custody']): string[] {
  const times = putBack === 1 ? 'once' : `${putBack} times`;
  const counted = `warning        somebody else changed what is ours in the kernel; it was put back ${times}`;
  return [...deviations.map((text) => `warning        ${text}`), ...(putBack === 0 ? [] : [counted])];
}

/** Services of backups, where there are virtual routers. */
function standbyText({ standby }: DirectorStatus['services']): string {
  return standby === 0 ? '' : `, ${standby} standing by for another director`;
}

/** So many lines of services and servers are shown without --verbose. */
const shownTroubles = 20;

function shortened(lines: readonly string[], isVerbose: boolean): readonly string[] {
  if (isVerbose || lines.length <= shownTroubles) return lines;
  const rest = `…              ${lines.length - shownTroubles} more such lines: --verbose`;
  return [...lines.slice(0, shownTroubles), rest];
}

function devicesText(devices: DirectorStatus['dataplane']['devices']): string {
  return (
    devices
      .filter(({ isAttached }) => isAttached)
      .map(({ name }) => name)
      .join(', ') || 'none: no packet of a service is taken'
  );
}

function internals({ dataplane, checkerCount }: DirectorStatus): string[] {
  return [
    `input/output   ${dataplane.io}`,
    `steering       ${dataplane.steering}`,
    `checkers       ${checkerCount}`,
    ...dataplane.devices.flatMap(({ name, isAttached, reason }) =>
      isAttached ? [] : [`device         ${name} not attached: ${reason}`],
    ),
  ];
}

/** Nobody knows of an unchecked server whether it lives. */
function serversText({ total, live, unchecked }: DirectorStatus['servers']): string {
  const checked = total - unchecked;
  if (checked === 0) return unchecked === 0 ? 'none' : `${unchecked}, checked by nobody`;
  const rest = unchecked === 0 ? '' : `, ${unchecked} more checked by nobody`;
  return `${live} of ${checked} live${rest}`;
}

function troubleOf(service: ServiceView): string[] {
  const name = serviceKey(service.id);
  const lines: string[] = [];
  if (service.isDraining) lines.push(`draining       ${name}: removed, its connections run out`);
  else if (service.isStandby) lines.push(`standby        ${name}: another director holds its address`);
  else if (!service.isUp) lines.push(`down           ${name}: its quorum is lost`);
  if (service.notAsWritten.length > 0) {
    lines.push(`not as written ${name}: served without ${service.notAsWritten.join(', ')}`);
  }
  const unchecked = service.servers.filter(({ isChecked }) => !isChecked).length;
  if (unchecked > 0) lines.push(`not checked    ${name}: ${unchecked} of ${service.servers.length} servers`);
  for (const server of service.servers) {
    const subject = `${endpointText(server)} of ${name}`;
    if (!server.isLive) lines.push(`down           ${subject}: ${reasonOf(server)}`);
    else lines.push(...server.checkers.flatMap((checker) => failingText(subject, checker)));
  }
  return lines;
}

/** A check that has failed, though not often enough to count. */
function failingText(subject: string, { kind, failures, attempts, lastFailure }: CheckerView): string[] {
  if (failures === 0) return [];
  const count = `${failures} of ${attempts} attempts failed`;
  return [`failing        ${subject}: ${kind} check, ${count}: ${lastFailure ?? 'no reason is known'}`];
}

function reasonOf(server: ServerView): string {
  const failing = server.checkers.filter((checker) => !checker.isUp);
  const text = ({ kind, lastFailure }: CheckerView) => `${kind} check, ${lastFailure ?? 'not yet passed'}`;
  return failing.map(text).join('; ');
}
