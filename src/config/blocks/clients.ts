// `allow` and `deny` of director { }: which clients may open connections.

import { type ClientRules, everyClient, maxClientNetworks, type Network } from '../../model/client-rules.js';
import type { VirtualServer } from '../../model/director-config.js';
import { familyOfService } from '../../model/service-id.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import type { Block } from '../tree.js';
import { networkOf, readPrefix } from '../values.js';

/** Where each of them stands first. */
type Networks = ReadonlyMap<Network, Word>;

export function readClients(
  block: Block | undefined,
  services: readonly VirtualServer[],
  report: Report,
): ClientRules {
  if (block === undefined) return everyClient;
  const allow = readNetworks(block, 'allow', report);
  const deny = readNetworks(block, 'deny', report);
  for (const [network, word] of deny) {
    const other = allow.get(network);
    if (other === undefined) continue;
    const message = `${network} is denied, and line ${other.line} allows it`;
    report.add('duplicate-network', word, message, 'remove one of them');
  }
  const beyond = [...allow.values(), ...deny.values()][maxClientNetworks];
  if (beyond !== undefined) {
    const message = `${allow.size + deny.size} networks are allowed and denied: ${maxClientNetworks} are the most`;
    report.add('out-of-range', beyond, message, 'join networks that lie side by side');
  }
  reportOpenFamily(allow, deny, services, report);
  // In an order of their own: moving a line in a file changes nothing.
  return { allow: [...allow.keys()].sort(), deny: [...deny.keys()].sort() };
}

function readNetworks(block: Block, keyword: string, report: Report): Networks {
  const networks = new Map<Network, Word>();
  for (const statement of block.repeated) {
    if (statement.shape.name !== keyword) continue;
    const words = [...statement.arguments, ...(statement.block?.items.flat() ?? [])];
    if (words.length === 0) {
      report.add('missing-value', statement.keyword, `${keyword} needs a network (10.0.0.0/8) or an address`);
    }
    for (const word of words) {
      const prefix = readPrefix(word.text);
      if (prefix === undefined) continue;
      const network = `${networkOf(prefix)}/${prefix.length}`;
      if (!networks.has(network)) networks.set(network, word);
    }
  }
  return networks;
}

/** Who allows networks of one family means them alone, and may have forgotten that there is another. */
function reportOpenFamily(
  allow: Networks,
  deny: Networks,
  services: readonly VirtualServer[],
  report: Report,
): void {
  const [first] = allow;
  if (first === undefined) return;
  const isIpv4 = isOfIpv4(first[0]);
  const everybody = isIpv4 ? '::/0' : '0.0.0.0/0';
  const isOfOther = (network: Network) => isOfIpv4(network) !== isIpv4;
  if ([...allow.keys()].some(isOfOther) || deny.has(everybody)) return;
  if (!services.some(({ id }) => (familyOfService(id) === 4) !== isIpv4)) return;
  const [named, other] = isIpv4 ? ['IPv4', 'IPv6'] : ['IPv6', 'IPv4'];
  const message = `allow names ${named} alone: every ${other} client is let in`;
  report.add('open-family', first[1], message, `allow ${other} networks, too, or write deny ${everybody}`);
}

function isOfIpv4(network: Network): boolean {
  return !network.includes(':');
}
