// `npm run demo`: the main job in network namespaces on this machine. DR, then NAT, then a pair of directors.
// Exit code 0 only when every count was right. Nothing stays behind, however it ends, unless --keep asks for it.

import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { namespacesOf, runDir, sweep, topologies } from '../test/support/lab/index.js';
import { performFailover } from './demo/failover.js';
import { type Act, type ActOptions, type ActResult, disposeLabs, perform } from './demo/scenario.js';
import { check, failures, heading, say, sayLast, seconds } from './demo/screen.js';

const services: readonly (Act & { readonly name: string })[] = [
  {
    name: 'dr',
    title: '1. DR (direct routing): real servers answer the client directly',
    picture: `
┌──────────────────┐            ┌──────────────────┐
│ client           │            │ server-a   nginx │   VIP on lo,
│ 10.1.0.10        ├──┐      ┌──┤ 10.1.0.21        │   silent to ARP
└──────────────────┘  │      │  └──────────────────┘
                      ├──────┤
┌──────────────────┐  │      │  ┌──────────────────┐
│ director         ├──┘      └──┤ server-b   nginx │
│ 10.1.0.2         │  switch    │ 10.1.0.22        │
│ VIP 10.1.0.100   │            └──────────────────┘
└──────────────────┘`,
    topology: topologies.dr({ hasVip: false }),
    example: 'dr.conf',
    serverPort: 80,
    servers: ['10.1.0.21:80', '10.1.0.22:80'],
  },
  {
    name: 'nat',
    title: '2. NAT: both directions pass the director, port 80 becomes 8080',
    picture: `
┌────────────┐      ┌──────────────────┐            ┌────────────────────┐
│ client     │      │ director         │         ┌──┤ server-a     nginx │
│ 10.1.0.10  ├──────┤ 10.1.0.2         │         │  │ 10.2.0.21     8080 │
└────────────┘      │ VIP 10.1.0.100   │         │  └────────────────────┘
                    │         10.2.0.1 ├─────────┤
                    └──────────────────┘  switch │  ┌────────────────────┐
                                                 └──┤ server-b     nginx │
                                                    │ 10.2.0.22     8080 │
                                                    └────────────────────┘`,
    topology: topologies.nat({ hasVip: false }),
    example: 'nat.conf',
    serverPort: 8080,
    servers: ['10.2.0.21:8080', '10.2.0.22:8080'],
  },
];

/** In the order in which they are shown. */
const acts: readonly { readonly name: string; readonly play: (options: ActOptions) => Promise<ActResult> }[] =
  [
    ...services.map((act) => ({ name: act.name, play: (options: ActOptions) => perform(act, options) })),
    { name: 'ha', play: performFailover },
  ];

const usage = `usage: npm run demo [-- OPTION]
  --keep    leave the networks and directors running, to play with
  --clean   remove what --keep left`;

let isStopping = false;

async function main(options: readonly string[]): Promise<number> {
  const unknown = options.find((option) => !['--keep', '--clean'].includes(option));
  if (unknown !== undefined) {
    say(usage);
    return options.includes('--help') || options.includes('-h') ? 0 : 2;
  }
  if (process.geteuid?.() !== 0) return asRoot();
  if (options.includes('--clean')) return await clean();
  const isKept = options.includes('--keep');
  if (isKept && keptNamespaces().length > 0) {
    say('A demo is left running already. Remove it first: npm run demo -- --clean');
    return 1;
  }
  return await demonstrate(isKept);
}

async function demonstrate(isKept: boolean): Promise<number> {
  const startedAt = performance.now();
  heading('uvs demo: HTTP through a virtual IP, forwarded by a director in user space');
  say('   Everything runs in network namespaces of its own; this machine’s network is not touched.');
  const results = [];
  for (const act of acts) {
    const result = await act.play(isKept ? { keepAs: `demo-${act.name}` } : {});
    results.push(result);
    if (!isKept) await result.lab.dispose();
  }
  heading('Result');
  if (!isKept) {
    const left = results.flatMap(({ lab }) => namespacesOf(lab.prefix));
    check(
      left.length === 0,
      `nothing is left behind${left.map((name) => `; still there: ${name}`).join('')}`,
    );
  }
  const requests = results.reduce((sum, result) => sum + result.requests, 0);
  const surprises = [...failures];
  check(
    surprises.length === 0,
    `${requests} requests in ${seconds(startedAt)} s, ${surprises.length} surprises`,
  );
  for (const failure of surprises) say(`     not as expected: ${failure}`);
  if (isKept) {
    for (const { lab } of results) lab.keep();
    showKept();
  }
  return failures.length === 0 ? 0 : 1;
}

/** Labs of `--keep`, whose names are fixed so that commands can be typed. */
const prefixOf = (name: string) => `uvs-demo-${name}-`;

function keptNamespaces(): readonly string[] {
  return acts.flatMap((act) => namespacesOf(prefixOf(act.name)));
}

function showKept(): void {
  heading('Left running, to play with (as root)');
  for (const act of services) {
    const folder = runDir(prefixOf(act.name));
    const socket = `--socket ${folder}/director.sock`;
    const inside = (host: string) => `ip netns exec ${prefixOf(act.name)}${host}`;
    say(`   ${act.name.toUpperCase()}`);
    say(`     ${inside('client')} curl http://10.1.0.100/`);
    say(`     ${inside('client')} curl 'http://[fd00:1::100]/'`);
    say(`     npx director list -n ${socket}`);
    say(`     npx director connections -n ${socket}`);
    say(`     npx director status ${socket}`);
    say(`     ${inside('director')} tcpdump -ni eth0`);
    say(`     kill $(cat ${folder}/server-a.nginx-pid)        # stops server-a: watch it leave the list`);
    say(`     less ${folder}/director.director-*.log`);
    say();
  }
  const folder = runDir(prefixOf('ha'));
  const inside = (host: string) => `ip netns exec ${prefixOf('ha')}${host}`;
  say('   FAILOVER');
  say(`     ${inside('client')} curl http://10.1.0.100/`);
  for (const letter of ['a', 'b']) say(`     npx director status --socket ${folder}/director-${letter}.sock`);
  say(`     npx director switchover --socket ${folder}/director-a.sock     # while it is master`);
  say(`     ${inside('client')} tcpdump -ni eth0 'vrrp or arp'`);
  say();
  say('   Remove it all: npm run demo -- --clean');
}

async function clean(): Promise<number> {
  const count = keptNamespaces().length;
  for (const act of acts) await sweep(prefixOf(act.name));
  say(count === 0 ? 'Nothing was left running.' : `Removed: ${count} namespaces with all that ran in them.`);
  return keptNamespaces().length === 0 ? 0 : 1;
}

/** Namespaces need root: the same command again, by sudo. */
function asRoot(): number {
  const [node = 'node', ...rest] = process.argv;
  const again = spawnSync('sudo', [node, ...process.execArgv, ...rest], { stdio: 'inherit' });
  if (again.error !== undefined) say('The demo makes network namespaces: run it as root, or install sudo.');
  return again.status ?? 1;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (isStopping) return;
    isStopping = true;
    sayLast(`\n   ${signal}: everything is removed`);
    void disposeLabs().finally(() => process.exit(128 + constants.signals[signal]));
  });
}

try {
  const code = await main(process.argv.slice(2));
  if (!isStopping) process.exitCode = code;
} catch (error) {
  if (!isStopping) {
    say(`\n   The demo failed: ${error instanceof Error ? error.message : String(error)}`);
    await disposeLabs();
    process.exitCode = 1;
  }
}
