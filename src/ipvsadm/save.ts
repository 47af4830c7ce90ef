// What `ipvsadm -S` prints and `ipvsadm -R` takes: a line for each service, and one for each of its servers. Services come
// sorted.

import type { RealServer, VirtualServer } from '../model/director-config.js';
import { type ForwardingMethod, granularityText } from '../model/forwarding-table.js';
import { familyOfService, type Protocol, type ServiceId, writtenEndpoint } from '../model/service-id.js';
import type { NameEndpoint } from './listing.js';

const methodOptions: Readonly<Record<ForwardingMethod, string>> = { nat: '-m', dr: '-g' };
const protocolOptions: Readonly<Record<Protocol, string>> = { tcp: '-t', udp: '-u' };

export type SavedService = Pick<VirtualServer, 'id' | 'scheduler' | 'flags' | 'onePacket' | 'persistence'> & {
  readonly realServers: readonly SavedServer[];
};
export type SavedServer = Pick<
  RealServer,
  'address' | 'port' | 'method' | 'weight' | 'upperThreshold' | 'lowerThreshold'
>;

export function saveText(services: readonly SavedService[], write: NameEndpoint): string {
  const lines = services.flatMap((service) => {
    const { id, scheduler, flags, onePacket } = service;
    const protocol = id.kind === 'mark' ? 'tcp' : id.protocol;
    const name = serviceWords(id, write);
    const settings = [
      `-s ${scheduler}`,
      ...(flags.length > 0 ? [`-b ${flags.join(',')}`] : []),
      ...persistenceWords(service),
      ...(onePacket ? ['-o'] : []),
    ];
    const servers = service.realServers.map((server) => {
      const thresholds = [
        ...(server.upperThreshold > 0 ? [`-x ${server.upperThreshold}`] : []),
        ...(server.lowerThreshold > 0 ? [`-y ${server.lowerThreshold}`] : []),
      ];
      const words = [methodOptions[server.method], `-w ${server.weight}`, ...thresholds];
      return `-a ${name} -r ${write(server, protocol)} ${words.join(' ')}`;
    });
    return [`-A ${name} ${settings.join(' ')}`, ...servers];
  });
  return lines.map((line) => `${line}\n`).join('');
}

/** The mask where it is not that of one address. */
function persistenceWords({ id, persistence }: SavedService): string[] {
  if (persistence === undefined) return [];
  const mask = granularityText(persistence, familyOfService(id));
  return [`-p ${persistence.timeout_s}`, ...(mask === undefined ? [] : [`-M ${mask}`])];
}

function serviceWords(id: ServiceId, write: NameEndpoint): string {
  if (id.kind === 'mark') return id.family === 6 ? `-f ${id.mark} -6` : `-f ${id.mark}`;
  return `${protocolOptions[id.protocol]} ${write(writtenEndpoint(id), id.protocol)}`;
}
