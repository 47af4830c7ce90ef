// A reload in which one step fails, for every step that it makes: either it is refused and all is as it was, or it is in force,
// what failed is made up for, and it was told. Either way the next reload works, and so does the way back.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DirectorConfig } from '../../../src/model/director-config.js';
import { type FailoverDirector, FailoverLab } from '../../support/failover-director.js';
import { configOf } from '../../support/parse-config.js';

let lab: FailoverLab;
beforeEach(() => {
  lab = new FailoverLab();
});
afterEach(() => lab.close());

const service = (address: string, servers: readonly number[]) => `virtual_server ${address} 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 2
${servers.map((n) => `  real_server 10.1.0.${n} 80 {\n    TCP_CHECK {\n    }\n  }`).join('\n')}
}
`;
const router = (name: string, id: number, address: string, more = '') => `vrrp_instance ${name} {
  interface eth0
  virtual_router_id ${id}
  priority 100
  ${more}
  virtual_ipaddress {
    ${address}/24
  }
}
`;

const before = [
  `static_ipaddress {\n  10.0.0.150/24 dev eth0\n}\n`,
  service('10.0.0.100', [1, 2]),
  service('10.0.0.110', [3]),
  router('VI_1', 51, '10.0.0.100', 'use_vmac jetty0'),
  router('VI_2', 52, '10.0.0.101'),
].join('');
const after = [
  `static_ipaddress {\n  10.0.0.151/24 dev eth0\n}\n`,
  service('10.0.0.100', [2, 4]),
  service('10.0.0.120', [5]),
  router(
    'VI_1',
    51,
    '10.0.0.100',
    'use_vmac jetty1\n virtual_routes {\n 10.77.0.0/24 via 10.0.0.2 dev eth0\n }',
  ),
  router('VI_3', 53, '10.0.0.103', 'use_vmac'),
].join('');
const [old, next] = [configOf(before), configOf(after)];

/** What a director has made of its configuration, here and in the kernel. */
function stateOf({ director, dataplane, network }: FailoverDirector): object {
  return {
    config: director.config(),
    isCurrent: director.status().isCurrent,
    table: dataplane.current.services.map(({ id, isDraining, isStandby, destinations }) => ({
      id,
      isDraining,
      isStandby,
      servers: destinations
        .map(({ address: server, weight, isRemoved }) => `${server} ${weight} ${isRemoved}`)
        .sort(),
    })),
    staticAddresses: dataplane
      .localAddresses()
      .map(({ address }) => address)
      .sort(),
    addresses: network.addresses.map(({ address, device }) => `${address} ${device}`).sort(),
    routes: network.routes.length,
    links: network
      .links()
      .map(({ name, mac }) => (name === 'eth0' ? name : `${name} ${mac}`))
      .sort(),
    routers: director
      .virtualRouters()
      .virtualRouters.map(({ name, state, addresses, faults }) => ({ name, state, addresses, faults })),
  };
}

async function started(config: DirectorConfig): Promise<FailoverDirector> {
  const a = lab.create('a', 1, { routers: [] });
  a.configure(config);
  await a.director.start();
  await lab.wait(20);
  return a;
}

/** Resolves with what the reload threw, when all that it has caused is over. */
async function reload(a: FailoverDirector, config: DirectorConfig): Promise<unknown> {
  a.configure(config);
  let outcome: { readonly error: unknown } | undefined;
  a.director.reload().then(
    () => {
      outcome = { error: undefined };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  await lab.clock.settle();
  while (outcome === undefined) await lab.wait(0.01);
  await lab.wait(5);
  a.sabotage.disarm();
  await lab.wait(20);
  return outcome.error;
}

/** The calls of an undisturbed reload, and what it leads to. */
async function rehearsal() {
  const rehearsed = await started(old);
  const first = stateOf(rehearsed);
  rehearsed.sabotage.arm(undefined);
  expect(await reload(rehearsed, next)).toBeUndefined();
  return { calls: [...rehearsed.sabotage.calls], first, second: stateOf(rehearsed) };
}

test('a reload makes many steps, of every port', async () => {
  const { calls } = await rehearsal();
  for (const name of ['dataplane.prepare', 'dataplane.publish', 'network.open', 'notifier.configure']) {
    expect(calls).toContain(name);
  }
});

test('whichever step fails, it is as it was, or as it is to be and told; and the next reloads work', async () => {
  const { calls, first, second } = await rehearsal();
  const findings: string[] = [];
  const outcomes = new Set<string>();
  for (const [number, call] of calls.entries()) {
    await lab.close();
    lab = new FailoverLab();
    const a = await started(old);
    const expectState = (wanted: object, when: string) => {
      const differing = differences(stateOf(a), wanted);
      if (differing !== '') findings.push(`step ${number}, ${call}: ${when}: ${differing}`);
    };
    expectState(first, 'before');
    const lines = a.logged.length;
    a.sabotage.arm(number);
    const error = await reload(a, next);
    outcomes.add(`${call} ${error === undefined ? 'in force' : 'refused'}`);
    expectState(error === undefined ? second : first, 'after it');
    if (!madeUpFor.has(call) && !a.logged.slice(lines).some((line) => line.includes('was made to fail')))
      findings.push(`step ${number}, ${call}: nothing is said`);
    for (const config of [next, old]) {
      const again = await reload(a, config);
      if (again !== undefined) findings.push(`step ${number}, ${call}: then ${again}`);
      expectState(config === next ? second : first, 'then');
    }
  }
  expect(findings).toEqual([]);
  const refused = [...outcomes].filter((outcome) => outcome.endsWith(' refused'));
  expect(refused.sort()).toEqual([
    'dataplane.prepare refused',
    'dataplane.prepareClients refused',
    'dataplane.publish refused',
  ]);
});

/** Tried again within the same reload, or one question of several: nothing comes of it, and nothing is said. */
const madeUpFor = new Set(['network.open', 'network.listenForFrames', 'network.sendFrame']);

/** The parts that are not alike, in words. */
function differences(is: object, wanted: object): string {
  const parts = Object.entries(wanted).map(([name, value]) => {
    const [a, b] = [JSON.stringify(is[name as keyof object]), JSON.stringify(value)];
    return a === b
      ? ''
      : `${name} is ${name === 'config' ? 'another' : a}, not ${name === 'config' ? 'it' : b}`;
  });
  return parts.filter((part) => part !== '').join('; ');
}
