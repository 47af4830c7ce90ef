// Every setting of the block director { }, which holds what keepalived has no word for; docs/config.md is its reference.
// Whom it serves (`allow`, `deny`) is in ../blocks/clients.ts.

import { type DirectorSettings, defaultDirectorSettings } from '../../model/director-config.js';
import { type NodestRule, nodestRules } from '../../model/forwarding-table.js';
import { endpointText } from '../../model/service-id.js';
import { type Notation, oneWord, text, whole, yesOrNo } from '../notations.js';
import { word } from '../print-words.js';
import type { Report } from '../report.js';
import { optional, own, readRows, type Table } from '../row.js';
import { argumentsOf, keyword, one, some } from '../shapes.js';
import { type Block, settingOf } from '../tree.js';
import {
  address,
  anyWord,
  either,
  endpoint,
  integer,
  oneOf,
  port,
  readAddress,
  readEndpoint,
  readInteger,
  type ValueKind,
} from '../values.js';

/** Port of the peer when none is given; keepalived's lvs_sync_daemon has the same. */
const defaultPeerPort = 8848;

const names: Notation<readonly string[]> = {
  shape: some(anyWord),
  read: (statement) => statement.arguments.map((name) => name.text),
  write: (value) => value.map((name) => word(name)).join(' '),
};

/** `0`, `2-5`, `0,2-5`. */
const cpuList: ValueKind = {
  what: 'a list of CPUs (0 2-5)',
  problemOf: (words) =>
    /^\d{1,4}(?:-\d{1,4})?(?:,\d{1,4}(?:-\d{1,4})?)*$/.test(words)
      ? undefined
      : { code: 'invalid-value', text: `${words} is not ${cpuList.what}` },
};

const cpus: Notation<readonly number[]> = {
  shape: some(cpuList),
  read: (statement) => statement.arguments.flatMap((list) => readCpuList(list.text)),
  write: (value) => value.join(' '),
};

/** `0,2-4` to 0, 2, 3, 4. */
function readCpuList(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  });
}

const workers: Notation<number | 'auto'> = {
  shape: one(either('auto or a number from 1 to 256', oneOf(['auto']), integer(1, 256))),
  read: ({ arguments: [count] }) => readInteger(count?.text ?? '') ?? 'auto',
  write: String,
};

/** One of the words, which are the values. */
function oneOfWords<const T extends string>(...words: readonly T[]): Notation<T> {
  const values = Object.fromEntries(words.map((value) => [value, value]));
  return oneWord(oneOf(words), values as Readonly<Record<string, T>>);
}

const nodestRule: Notation<NodestRule> = oneWord(
  oneOf(nodestRules.map(String)),
  Object.fromEntries(nodestRules.map((rule) => [String(rule), rule])),
);

type Endpoint = NonNullable<DirectorSettings['metrics']>;

const addressAndPort: Notation<Endpoint> = {
  shape: one(endpoint),
  read: ({ arguments: [place] }) => readEndpoint(place?.text ?? ''),
  write: endpointText,
};

const peer: Notation<Endpoint> = {
  shape: keyword(argumentsOf({ required: [address], optional: [port] })),
  read: ({ arguments: [host, number] }) => {
    const ip = readAddress(host?.text);
    return ip && { address: ip, port: readInteger(number?.text ?? '') ?? defaultPeerPort };
  },
  write: (value) => `${value.address} ${value.port}`,
};

const usual = defaultDirectorSettings;

export const directorRows: Table<DirectorSettings, unknown> = {
  interfaces: optional('interface', names),
  workers: own('workers', workers, () => usual.workers),
  cpus: optional('cpu', cpus),
  io: own('io', oneOfWords('af_packet', 'af_xdp', 'auto'), () => usual.io),
  offload: own('offload', oneOfWords('none', 'tc', 'xdp', 'auto'), () => usual.offload),
  connections: own('connections', whole(integer(1, 100_000_000)), () => usual.connections),
  serverOrder: own('server_order', oneOfWords('kernel', 'config'), () => usual.serverOrder),
  expireNodestConn: own('expire_nodest_conn', nodestRule, () => usual.expireNodestConn),
  expireQuiescentTemplate: own('expire_quiescent_template', yesOrNo, () => usual.expireQuiescentTemplate),
  metrics: optional('metrics', addressAndPort),
  peer: optional('peer', peer),
  peerKeyFile: optional('peer_key', text()),
};

export function readDirector(block: Block | undefined, report: Report): DirectorSettings {
  if (block === undefined) return usual;
  const settings = readRows(directorRows, block, undefined);
  reportWaiting(block, settings, report);
  return settings;
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
