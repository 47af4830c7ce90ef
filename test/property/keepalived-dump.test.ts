// What is printed means the same to keepalived: its own dump of the text, taken from a live keepalived in a namespace,
// is held against the configuration that was printed.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect } from 'vitest';
import { printConfig } from '../../src/config/index.js';
import type { DirectorConfig } from '../../src/model/director-config.js';
import type { NotifyScripts, ScriptCommand } from '../../src/model/failover-config.js';
import type { VirtualRouter } from '../../src/model/virtual-router.js';
import { arbitraryConfig } from '../support/arbitrary-config.js';
import { requires } from '../support/require.js';

/** The devices that plain configurations name; the namespace goes with the process. */
const inNamespace =
  'ip link add e0 type veth peer name e1 && ip link set e0 up && ip link set e1 up && ' +
  'ip addr add 192.0.2.1/24 dev e0 && ip addr add 198.51.100.1/24 dev e1 && ' +
  'exec keepalived -P -n -l -D -d -f "$0/conf" -p "$0/pid" -r "$0/vrrp.pid"';

requires('root', 'pkg:keepalived').test('keepalived understands what is printed as it is meant', async () => {
  // Two samples with as many virtual routers as they can have.
  const samples = fc
    .sample(arbitraryConfig({ plain: true }), 60)
    .toSorted((a, b) => b.failover.routers.length - a.failover.routers.length)
    .slice(0, 2);
  for (const config of samples) {
    const { routers, groups } = config.failover;
    const members = new Set(groups.flatMap(({ group }) => group.members));
    expect(routers.length).toBeGreaterThan(1);
    const dump = await dumpOf(config);
    for (const { router, notify } of routers) {
      // A group that waits for its scripts shows BACKUP.
      const { Wantstate: state, ...others } = asDumped(router, notify);
      const expected = members.has(router.name) ? others : { ...others, Wantstate: state };
      const found = dump.get(router.name) ?? {};
      const sameFields = Object.keys(expected).map((name) => [name, found[name]]);
      expect(Object.fromEntries(sameFields), router.name).toEqual(expected);
    }
  }
});

type Dumped = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The fields of keepalived's dump that a virtual router decides. */
function asDumped(router: VirtualRouter, notify: NotifyScripts): Dumped {
  const { announce, delivery, authentication, advertInterval } = router;
  const seconds = (micros: number) => String(micros / 1_000_000);
  const isUnicast = delivery.kind === 'unicast';
  return {
    'VRRP Version': String(router.version),
    Wantstate: router.startState.toUpperCase(),
    Interface: router.device,
    'Gratuitous ARP delay': seconds(announce.delay),
    'Gratuitous ARP repeat': String(announce.repeat),
    'Gratuitous ARP refresh': announce.isRefreshWritten ? seconds(announce.refresh) : seconds(0),
    'Gratuitous ARP refresh repeat': String(announce.refreshRepeat),
    'Gratuitous ARP lower priority delay': seconds(announce.lowerPriorityDelay),
    'Gratuitous ARP lower priority repeat': String(announce.lowerPriorityRepeat),
    'Down timer adverts': String(router.downTimerAdverts),
    'Send advert after receive lower priority advert': String(router.answersLowerPriority),
    'Send advert after receive higher priority advert': String(router.answersHigherPriority),
    'Virtual Router ID': String(router.virtualRouterId),
    Priority: String(router.priority),
    'Advert interval':
      router.version === 2 ? `${seconds(advertInterval)} sec` : `${advertInterval / 1_000} milli-sec`,
    Accept: router.acceptsTraffic ? 'enabled' : 'disabled',
    Preempt: router.preempt ? 'enabled' : 'disabled',
    Password: authentication.kind === 'simple' ? authentication.password : undefined,
    // keepalived fills in an unwritten 255 for IPv4 alone; IPv6 leaves it to the socket, and shows none.
    'Unicast TTL':
      isUnicast && (router.family === 4 || delivery.ttl !== 255) ? String(delivery.ttl) : undefined,
    'Check unicast src': isUnicast ? (delivery.checksSource ? 'yes' : 'no') : undefined,
    'Unicast Peer': isUnicast
      ? delivery.peers.map(({ address, minTtl, maxTtl }) => `${address} min_ttl ${minTtl} max_ttl ${maxTtl}`)
      : undefined,
    'Virtual IP': addressTexts(router.addresses),
    'Virtual IP Excluded': addressTexts(router.excludedAddresses),
    'Virtual Routes': countText(router.routes),
    'Tracked interfaces': countText(
      router.tracks.filter(({ kind, weight }) => kind === 'interface' && weight !== 0),
    ),
    'Tracked scripts': countText(router.tracks.filter(({ kind }) => kind === 'script')),
    'Tracked files': countText(router.tracks.filter(({ kind }) => kind === 'file')),
    'Notify deleted': notify.deleted === undefined ? 'Fault' : 'Deleted',
    'Master state transition script': argumentTexts(notify.master),
    'Backup state transition script': argumentTexts(notify.backup),
    'Fault state transition script': argumentTexts(notify.fault),
    'Stop state transition script': argumentTexts(notify.stop),
    'Master rx lower pri state transition script': argumentTexts(notify.masterRxLowerPriority),
    'Generic state transition script': argumentTexts(notify.any),
    'Notify priority changes': String(notify.notifiesPriority),
  };
}

/** keepalived leaves a full mask out. */
function addressTexts(addresses: VirtualRouter['addresses']): readonly string[] | undefined {
  if (addresses.length === 0) return undefined;
  return addresses.map(({ address, length }) => {
    const isWhole = length === (address.includes(':') ? 128 : 32);
    return isWhole ? address : `${address}/${length}`;
  });
}

function countText(list: readonly unknown[]): string | undefined {
  return list.length === 0 ? undefined : String(list.length);
}

/** The program's own path is resolved in the dump. */
function argumentTexts(command: ScriptCommand | undefined): string | undefined {
  return command?.words.slice(1).join(' ');
}

async function dumpOf(config: DirectorConfig): Promise<Map<string, Dumped>> {
  const folder = mkdtempSync(join(tmpdir(), 'uvs-dump-'));
  try {
    // Without FIFOs, which it would leave behind.
    const text = printConfig(
      { ...config, failover: { ...config.failover, fifos: [] } },
      { withDirector: false },
    );
    writeFileSync(join(folder, 'conf'), text);
    const child = spawn('unshare', ['--net', 'sh', '-c', inNamespace, folder]);
    return readDump(await untilDumped(child));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What it says until it has said all that it dumps of VRRP; it is ended then. */
function untilDumped(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    // Apart: pieces of one stream in a line of the other would tear it.
    const texts = ['', ''];
    for (const [i, stream] of [child.stdout, child.stderr].entries()) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        texts[i] += chunk;
        if (texts[i]?.includes('------< Interfaces >------')) child.kill('SIGTERM');
      });
    }
    child.on('close', () => resolve(texts.join('\n')));
  });
}

const counted = new Set(['Virtual Routes', 'Tracked interfaces', 'Tracked scripts', 'Tracked files']);

/** Fields by the name of the virtual router; lists below a name with a colon. */
function readDump(text: string): Map<string, Dumped> {
  const found = new Map<string, Record<string, string | string[]>>();
  let fields: Record<string, string | string[]> = {};
  let list: string[] = [];
  const lines = text.split('\n').map((line) => line.replace(/^\w{3} \w{3} +\d+ [\d:]+ \d+: /, ''));
  const from = lines.findIndex((line) => line.includes('VRRP Topology'));
  for (const line of lines.slice(from + 1)) {
    if (line.startsWith('------<')) break;
    const head = /^ VRRP Instance = (.*)$/.exec(line)?.[1];
    const [, title, value = ''] = /^ {3}(\S[^=:(]*?)(?: = | : | ?:$| \(\d+\):$)(.*)$/.exec(line) ?? [];
    if (head !== undefined) {
      fields = {};
      found.set(head, fields);
    } else if (/^ {5}\S/.test(line)) {
      list.push(line.trim());
    } else if (title !== undefined) {
      list = [];
      fields[title] = value === '' ? list : value;
    }
  }
  return new Map([...found].map(([name, dumped]) => [name, comparable(dumped)]));
}

function comparable(fields: Readonly<Record<string, string | readonly string[]>>): Dumped {
  const texts = Object.entries(fields).map(([name, value]) => {
    if (counted.has(name)) return [name, String(value.length)];
    if (typeof value !== 'string') {
      return [name, name === 'Unicast Peer' ? value : value.map((line) => line.split(' ')[0])];
    }
    if (!name.endsWith('transition script')) return [name, value];
    const words = [...value.replace(/, uid:gid .*$/, '').matchAll(/'([^']*)'/g)].map(([, word]) => word);
    return [name, words.slice(1).join(' ')];
  });
  return Object.fromEntries(texts);
}
