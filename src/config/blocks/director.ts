// director { }: what keepalived has no word for. docs/config.md is its reference.

import { type DirectorSettings, defaultDirectorSettings } from '../../model/director-config.js';
import { nodestRules } from '../../model/forwarding-table.js';
import type { Report } from '../report.js';
import { type Block, settingOf } from '../tree.js';
import { readEndpoint, readInteger } from '../values.js';
import { addressOf, integerOf, textOf } from './settings.js';

/** Port of the peer when none is given; keepalived's lvs_sync_daemon has the same. */
export const defaultPeerPort = 8848;

const none = defaultDirectorSettings;

export function readDirector(block: Block | undefined, report: Report): DirectorSettings {
  if (block === undefined) return none;
  const settings = readSettings(block);
  reportWaiting(block, settings, report);
  return settings;
}

function readSettings(block: Block): DirectorSettings {
  const words = (keyword: string) => settingOf(block, keyword)?.arguments.map((word) => word.text);
  const workers = textOf(block, 'workers');
  const peer = addressOf(block, 'peer');
  const peerPort = readInteger(textOf(block, 'peer', 1) ?? '') ?? defaultPeerPort;
  return {
    interfaces: words('interface') ?? none.interfaces,
    workers: workers === undefined ? none.workers : (readInteger(workers) ?? 'auto'),
    cpus: words('cpu')?.flatMap(readCpuList) ?? none.cpus,
    io: wordOf(block, 'io', ['af_packet', 'af_xdp', 'auto']) ?? none.io,
    offload: wordOf(block, 'offload', ['none', 'tc', 'xdp', 'auto']) ?? none.offload,
    connections: integerOf(block, 'connections') ?? none.connections,
    serverOrder: wordOf(block, 'server_order', ['kernel', 'config']) ?? none.serverOrder,
    expireNodestConn:
      nodestRules.find((rule) => String(rule) === textOf(block, 'expire_nodest_conn')) ??
      none.expireNodestConn,
    metrics: readEndpoint(textOf(block, 'metrics') ?? ''),
    peer: peer === undefined ? undefined : { address: peer, port: peerPort },
    peerKeyFile: textOf(block, 'peer_key'),
  };
}

/** Says what is asked for and not there yet; the settings are kept as written. */
function reportWaiting(block: Block, settings: DirectorSettings, report: Report): void {
  const { workers, cpus, io, offload } = settings;
  const say = (keyword: string, setting: string, instead: string) => {
    const place = settingOf(block, keyword)?.keyword;
    const message = `${setting} is not in effect yet: ${instead}`;
    if (place !== undefined) report.addOnce('not-in-effect-yet', `director ${keyword}`, place, message);
  };
  if (workers !== 'auto' && workers > 1) say('workers', `workers ${workers}`, 'one worker runs');
  if (cpus !== undefined && cpus.length > 1)
    say('cpu', 'more than one CPU', `the worker runs on CPU ${cpus[0]}`);
  if (io === 'af_xdp') say('io', 'io af_xdp', 'af_packet is used');
  if (offload === 'tc' || offload === 'xdp')
    say('offload', `offload ${offload}`, 'all packets pass the worker');
  say('peer', 'peer', 'connections are not told to it');
  say('peer_key', 'peer_key', 'connections are not told to a peer');
}

function wordOf<T extends string>(block: Block, keyword: string, known: readonly T[]): T | undefined {
  const text = textOf(block, keyword);
  return known.find((word) => word === text);
}

/** `0,2-4` to 0, 2, 3, 4. */
function readCpuList(text: string): number[] {
  return text.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  });
}
