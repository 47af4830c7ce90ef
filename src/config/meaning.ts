// The block tree to the DirectorConfig: each block's meaning, then what only shows when all are known.

import type { DirectorConfig, LeftOutService, VirtualServer } from '../model/director-config.js';
import { serviceKey } from '../model/service-id.js';
import { readClients } from './blocks/clients.js';
import { readFailover } from './blocks/failover.js';
import { readGlobalDefs } from './blocks/global-defs.js';
import { readStaticAddresses } from './blocks/static-ipaddress.js';
import { readVirtualServer } from './blocks/virtual-server.js';
import type { Word } from './lexer.js';
import type { Report } from './report.js';
import { readDirector } from './rows/director.js';
import { type Block, type Statement, settingOf } from './tree.js';

/** What the text means; to be used only when nothing in it was an error. Yields between services. */
export function readMeaning(root: Block, report: Report): DirectorConfig {
  const blocksOf = (name: string): Block[] =>
    root.repeated.flatMap(({ shape, block }) => (shape.name === name && block !== undefined ? [block] : []));
  const { global, defaults } = readGlobalDefs(blocksOf('global_defs'));
  const addressLines = blocksOf('static_ipaddress').flatMap((block) => block.items);
  const staticAddresses = readStaticAddresses(addressLines, defaults.interface, report);
  const virtualServers: VirtualServer[] = [];
  const leftOut: LeftOutService[] = [];
  const seen = new Map<string, Word>();
  for (const statement of root.repeated) {
    if (report.isFull()) break;
    if (statement.shape.name !== 'virtual_server') continue;
    const service = readVirtualServer(statement, defaults, report);
    if (service === undefined) continue;
    if ('reason' in service) leftOut.push(service);
    else if (isFirst(service, statement, seen, report)) virtualServers.push(service);
  }
  const failover = readFailover(root, defaults, staticAddresses, report);
  const directorBlock = settingOf(root, 'director')?.block;
  const director = readDirector(directorBlock, report);
  const clients = readClients(directorBlock, virtualServers, report);
  return { global, staticAddresses, virtualServers, leftOut, failover, director, clients };
}

function isFirst(
  service: VirtualServer,
  { keyword }: Statement,
  seen: Map<string, Word>,
  report: Report,
): boolean {
  const key = serviceKey(service.id);
  const first = seen.get(key);
  if (first === undefined) {
    seen.set(key, keyword);
    return true;
  }
  const message = `the service ${key} stands in line ${first.line} already`;
  report.add('duplicate-service', keyword, message, 'put the real servers of both into one');
  return false;
}
