// A director that ends for a restart (QUIT) or by TERM, and is started again: connections, addresses and mastership.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  cliFile,
  configText,
  Dialogue,
  Director,
  directorText,
  type Endurance,
  failoverNeeds,
  type Host,
  Lab,
  nowMicros,
  Pair,
  request,
  serveDialogue,
  serverAt,
  startHttp,
  topologies,
  urlOf,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const port = 7000;
const vips = [vip, vip6];
const count = 25;
const modes = [
  { method: 'DR', topology: topologies.dr({ hasVip: false }), net: 1 },
  { method: 'NAT', topology: topologies.nat({ hasVip: false }), net: 2 },
] as const;
const forms = [
  { form: 'tcx', env: {} },
  { form: 'clsact', env: { UVS_STEERING: 'clsact' } },
] as const;
const whole: Endurance = { open: count, broken: {}, answered: expect.any(Number) };

/** Dialogues are served by both servers, and the director's own addresses are the virtual ones. */
async function serve(lab: Lab, method: 'DR' | 'NAT', net: number): Promise<string> {
  for (const [index, name] of ['server-a', 'server-b'].entries()) {
    for (const address of vips) {
      await serveDialogue(
        lab.host(name),
        method === 'DR' ? address : serverAt(address, net, index).address,
        port,
      );
    }
  }
  return configText(
    vips.map((address) => ({
      address,
      port,
      method,
      servers: [0, 1].map((index) => serverAt(address, net, index, port)),
    })),
    `static_ipaddress {\n${vip}/32 dev eth0\n${vip6}/128 dev eth0\n}\n`,
  );
}

function talk(client: Host): Promise<Dialogue[]> {
  return Promise.all(vips.map((address) => Dialogue.start(client, address, port, { count, every_ms: 50 })));
}

/** As the service manager does it between the two. */
async function cleanUp(host: Host): Promise<void> {
  await host.exec(['node', cliFile, 'cleanup']);
}

async function expectWhole(dialogues: readonly Dialogue[]): Promise<void> {
  const since = nowMicros();
  for (const dialogue of dialogues) {
    await dialogue.waitForAll(since);
    expect(dialogue.endurance()).toEqual(whole);
  }
}

requires(...failoverNeeds).describe('a restart', () => {
  test.each(modes.flatMap((mode) => forms.map((form) => ({ ...mode, ...form }))))(
    '$method, $form: a restart costs no connection',
    async ({ method, topology, net, env }) => {
      await using lab = await Lab.create(topology);
      const host = lab.host('director');
      const config = await serve(lab, method, net);
      const before = await Director.start(host, config, { env });
      const dialogues = await talk(lab.host('client'));
      const counted = (await before.list()).map(({ servers }) => servers.map(({ active }) => active));
      expect(await before.process.stop('SIGQUIT', 10)).toEqual({ code: 0, signal: undefined });
      // What stays: the addresses and the filters that hold packets back.
      expect(await host.addresses('eth0')).toEqual(expect.arrayContaining([`${vip}/32`, `${vip6}/128`]));
      expect(await host.exec('tc filter show dev eth0 ingress')).toContain('uvs_steer');
      await cleanUp(host);

      const after = await Director.start(host, config, { env, socket: before.socket });
      await expectWhole(dialogues);
      expect(after.log()).toContain(`${2 * count} connections of the director before are taken up`);
      expect((await after.list()).map(({ servers }) => servers.map(({ active }) => active))).toEqual(counted);
      expect(existsSync(`${before.socket}.connections`)).toBe(false);
      // Of the director before nothing is left, and what it left is this one's to remove.
      const filters = (await host.exec('tc filter show dev eth0 ingress')).match(/name uvs_/g) ?? [];
      expect(filters).toHaveLength('UVS_STEERING' in env ? 1 : 0);
      expect(await host.exec('ip -d addr show dev eth0')).not.toMatch(/100\/(32|128)[^\n]*\n *valid_lft \d/);
      await Promise.all(dialogues.map((dialogue) => dialogue.stop()));
      await after.stop();
      expect(await host.addresses('eth0')).not.toContain(`${vip}/32`);
      expect(await host.exec('tc filter show dev eth0 ingress')).not.toContain('uvs_');
    },
  );

  test.each(forms)(
    '$form: a stall and a restart cost no connection of a server on the director itself',
    async (one) => {
      await using lab = await Lab.create(topologies.nat({ hasVip: false }));
      const host = lab.host('director');
      const owns: Record<string, string> = { [vip]: '10.2.0.1', [vip6]: 'fd00:2::1' };
      const config = configText(
        vips.map((address) => ({
          address,
          port,
          method: 'NAT' as const,
          servers: [{ address: owns[address] ?? '', port: port + 1 }],
        })),
        `static_ipaddress {\n${vip}/32 dev eth0\n${vip6}/128 dev eth0\n}\n`,
      );
      for (const address of vips) await serveDialogue(host, owns[address] ?? '', port + 1);
      const before = await Director.start(host, config, { env: one.env });
      const dialogues = await talk(lab.host('client'));

      before.process.signal('SIGSTOP');
      try {
        const until = performance.now() + 2000;
        await waitFor('the stall to end', () => performance.now() >= until);
      } finally {
        before.process.signal('SIGCONT');
      }
      await expectWhole(dialogues);

      await before.process.stop('SIGQUIT', 10);
      expect(await host.exec('tc filter show dev eth0 egress')).toContain('uvs_steer_out');
      await cleanUp(host);
      const after = await Director.start(host, config, { env: one.env, socket: before.socket });
      await expectWhole(dialogues);
      expect(after.log()).toContain(`${2 * count} connections of the director before are taken up`);
      for (const side of ['ingress', 'egress']) {
        const filters = (await host.exec(`tc filter show dev eth0 ${side}`)).match(/name uvs_/g) ?? [];
        expect(filters, side).toHaveLength('UVS_STEERING' in one.env ? 1 : 0);
      }
      await Promise.all(dialogues.map((dialogue) => dialogue.stop()));
      await after.stop();
      for (const side of ['ingress', 'egress'])
        expect(await host.exec(`tc filter show dev eth0 ${side}`)).not.toContain('uvs_');
    },
  );

  // NAT: a reply under way when the director stops is passed on as it is, and its client answers with RST.
  test.each(modes)(
    '$method: a stop by TERM and a start keep connections where no stack answers in between',
    async ({ method, topology, net }) => {
      await using lab = await Lab.create(topology);
      const config = await serve(lab, method, net);
      const before = await Director.start(lab.host('director'), config);
      const dialogues = await talk(lab.host('client'));
      expect((await before.stop()).code).toBe(0);
      const after = await Director.start(lab.host('director'), config, { socket: before.socket });
      expect(after.log()).toMatch(/\d+ connections of the director before are taken up/);
      if (method === 'DR') return await expectWhole(dialogues);
      const since = nowMicros();
      for (const dialogue of dialogues) {
        await dialogue.waitForAll(since);
        const { open, broken } = dialogue.endurance();
        expect(Object.keys(broken).filter((how) => how !== 'reset')).toEqual([]);
        expect(open).toBeGreaterThan(0);
      }
    },
  );

  test('what can be no snapshot is refused with a word, and connections of a removed server are not taken up', async () => {
    const [, { method, topology, net }] = modes;
    await using lab = await Lab.create(topology);
    const host = lab.host('director');
    const config = await serve(lab, method, net);
    const first = await Director.start(host, config);
    const dialogues = await talk(lab.host('client'));
    await first.process.stop('SIGQUIT', 10);
    const withoutB = config.replaceAll(/ {4}real_server \S+22 \d+ \{\n[^}]*\}\n?/g, '');
    const second = await Director.start(host, withoutB, { socket: first.socket });
    expect(second.log()).toMatch(
      /\d+ connections of the director before are taken up; \d+ are not: the server is gone/,
    );
    // In the way of the next snapshot.
    mkdirSync(`${first.socket}.connections.draft`);
    await second.process.stop('SIGQUIT', 10);
    expect(second.log()).toMatch(/[1-9]\d* connections are lost to the next start: cannot write/);
    writeFileSync(`${first.socket}.connections`, Buffer.alloc(640, 7), { mode: 0o600 });
    const third = await Director.start(host, config, { socket: first.socket });
    expect(third.log()).toMatch(/[1-9]\d* by its size, are not taken up: it is no connection snapshot/);
    expect(existsSync(`${first.socket}.connections`)).toBe(false);
    await Promise.all(dialogues.map((dialogue) => dialogue.stop()));
  });

  test('when nobody comes the addresses go and everything passes', async () => {
    await using lab = await Lab.create(topologies.nat());
    const host = lab.host('director');
    const client = lab.host('client');
    await Promise.all([startHttp(host), startHttp(lab.host('server-a'))]);
    const director = await Director.start(
      host,
      configText(
        [{ address: vip, port: 80, method: 'NAT', servers: [serverAt(vip, 2, 0)] }],
        'static_ipaddress {\n10.1.0.101/32 dev eth0\n}\n',
      ),
    );
    expect((await request(client, urlOf(vip), 1)).counts.has('server-a')).toBe(true);
    await director.process.stop('SIGQUIT', 10);
    await waitFor(
      'the host to answer',
      async () => (await request(client, urlOf(vip), 1, 0.3)).counts.has('director'),
      { timeout_s: 15 },
    );
    await waitFor(
      'the address to be gone',
      async () => !(await host.addresses('eth0')).includes('10.1.0.101/32'),
      { timeout_s: 15 },
    );
  });

  test('a restarted master stays master, and its connections go on', async () => {
    await using pair = await Pair.create();
    const textOf = (priority: number) =>
      directorText([
        { priority, addresses: [`${vip}/32 dev eth0`], interval_s: 2 },
        {
          name: 'VI_6',
          virtualRouterId: 56,
          version: 3,
          priority,
          addresses: ['fe80::100/64 dev eth0', `${vip6}/128 dev eth0`],
          interval_s: 2,
        },
      ]);
    const a = await Director.start(pair.a, textOf(150));
    for (const name of ['VI_1', 'VI_6']) await a.waitForState(name, 'MASTER');
    const b = await Director.start(pair.b, textOf(100));
    for (const name of ['VI_1', 'VI_6']) await b.waitForState(name, 'BACKUP');
    const overlap = await pair.watchOverlap();
    const outage = await pair.outageDuring(async () => {
      await a.process.stop('SIGQUIT', 10);
      await cleanUp(pair.a);
      const again = await Director.start(pair.a, textOf(150), { socket: a.socket });
      for (const name of ['VI_1', 'VI_6']) await again.waitForState(name, 'MASTER');
    });
    expect(outage.failures.refused ?? 0).toBe(0);
    expect(outage.failures.reset ?? 0).toBe(0);
    const text = await pair.adverts.tail();
    for (const name of ['VI_1', 'VI_6']) {
      expect((await b.router(name)).counters.becameMaster, text).toBe(0);
      expect((await b.router(name)).counters.priorityZeroReceived, text).toBe(0);
    }
    expect(await overlap()).toBe(0);
  });

  test('a restarted master keeps its virtual MAC and has its virtual routes again', async () => {
    await using pair = await Pair.create();
    const textOf = (priority: number) =>
      directorText([
        {
          priority,
          addresses: [`${vip}/32`],
          interval_s: 2,
          lines: [
            'use_vmac vrrp.51',
            'virtual_routes {\n    10.77.0.0/24 via 10.1.0.10 dev eth0 metric 77\n    blackhole 10.78.0.0/24\n}',
          ],
        },
      ]);
    const a = await Director.start(pair.a, textOf(150));
    await a.waitForState('VI_1', 'MASTER');
    const b = await Director.start(pair.b, textOf(100));
    await b.waitForState('VI_1', 'BACKUP');
    const routes = async () => [
      await pair.a.ip('route show 10.77.0.0/24'),
      await pair.a.ip('route show 10.78.0.0/24'),
    ];
    const waitForRoutes = () =>
      waitFor('the virtual routes', async () => (await routes()).every((route) => route !== ''));
    await waitForRoutes();
    const [before, device] = [await routes(), await pair.a.ip('-o link show dev vrrp.51')];
    const outage = await pair.outageDuring(async () => {
      await a.process.stop('SIGQUIT', 10);
      await cleanUp(pair.a);
      expect(await pair.a.addresses('vrrp.51')).toContain(`${vip}/32`);
      const again = await Director.start(pair.a, textOf(150), { socket: a.socket });
      await again.waitForState('VI_1', 'MASTER');
    });
    // The same device: its index is in the line, and nobody had to learn another MAC.
    expect(await pair.a.ip('-o link show dev vrrp.51')).toBe(device);
    await waitForRoutes();
    expect(await routes()).toEqual(before);
    expect(await pair.a.ip('-d addr show dev vrrp.51')).not.toMatch(/100\/32[^\n]*\n *valid_lft \d/);
    expect(outage.failures.refused ?? 0).toBe(0);
    expect(outage.failures.reset ?? 0).toBe(0);
    expect((await b.router('VI_1')).counters.becameMaster).toBe(0);
  });

  test('a master that does not come back in time is replaced, and its address is gone by then', async () => {
    await using pair = await Pair.create();
    const textOf = (priority: number) => directorText([{ priority, addresses: [`${vip}/32 dev eth0`] }]);
    const a = await Director.start(pair.a, textOf(150));
    await a.waitForState('VI_1', 'MASTER');
    const b = await Director.start(pair.b, textOf(100));
    await b.waitForState('VI_1', 'BACKUP');
    await a.process.stop('SIGQUIT', 10);
    await b.waitForState('VI_1', 'MASTER');
    await waitFor(
      'the address to be gone',
      async () => !(await pair.a.addresses('eth0')).includes(`${vip}/32`),
    );
  });
});
