// A director that stands still with all its threads: connections wait for it. One that is dead: the host answers at once.

import { expect, test } from 'vitest';
import {
  configText,
  Dialogue,
  Director,
  Lab,
  labNeeds,
  nowMicros,
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

const modes = [
  { method: 'DR', topology: topologies.dr(), net: 1 },
  { method: 'NAT', topology: topologies.nat(), net: 2 },
] as const;
const forms = [
  { form: 'tcx', env: {} },
  { form: 'clsact', env: { UVS_STEERING: 'clsact' } },
] as const;
const port = 7000;

const cases = forms.flatMap((form) => modes.map((mode) => ({ ...form, ...mode })));

requires(...labNeeds).describe('a stall', () => {
  test.each(cases)('$method, $form: 2 s cost no connection; death does not wait', async (one) => {
    const { method, topology, net, form, env } = one;
    await using lab = await Lab.create(topology);
    const client = lab.host('client');
    const host = lab.host('director');
    const vips = [vip, vip6];
    for (const [index, name] of ['server-a', 'server-b'].entries()) {
      for (const address of vips) {
        const bound = method === 'DR' ? address : serverAt(address, net, index).address;
        await serveDialogue(lab.host(name), bound, port);
      }
    }
    await startHttp(host, { ports: [port] });
    const director = await Director.start(
      host,
      configText(
        vips.map((address) => ({
          address,
          port,
          method,
          servers: [0, 1].map((index) => serverAt(address, net, index, port)),
        })),
      ),
      { env },
    );
    expect((await director.api('GET', '/v1/status')).body).toMatchObject({
      dataplane: { steering: expect.stringContaining(form) },
    });
    const dialogues = await Promise.all(
      vips.map((address) => Dialogue.start(client, address, port, { count: 30, every_ms: 50 })),
    );

    director.process.signal('SIGSTOP');
    try {
      const until = performance.now() + 2000;
      await waitFor('the stall to end', () => performance.now() >= until);
    } finally {
      director.process.signal('SIGCONT');
    }
    const back = nowMicros();
    for (const dialogue of dialogues) {
      await dialogue.waitForAll(back);
      expect(dialogue.endurance()).toMatchObject({ open: 30, broken: {} });
    }
    const { body } = await director.api('GET', '/v1/stats');
    const late = (body as { drops: { reason: string; count: string }[] }).drops.find(
      ({ reason }) => reason === 'worker_late',
    );
    expect(Number(late?.count)).toBeGreaterThan(0);

    await Promise.all(dialogues.map((dialogue) => dialogue.stop()));
    // Stopped and then killed, while the heartbeat would still hold packets back for seconds.
    director.process.signal('SIGSTOP');
    await director.kill();
    for (const address of vips) {
      await waitFor(
        'the host to answer itself',
        async () => (await request(client, urlOf(address, port), 1, 0.3)).counts.has('director'),
        { timeout_s: 4 },
      );
    }
  });

  test('ends after ten seconds: then the host answers', async () => {
    await using lab = await Lab.create(topologies.nat());
    const client = lab.host('client');
    await Promise.all([startHttp(lab.host('director')), startHttp(lab.host('server-a'))]);
    const config = configText([{ address: vip, port: 80, method: 'NAT', servers: [serverAt(vip, 2, 0)] }]);
    const director = await Director.start(lab.host('director'), config);
    const answeredBy = async (name: string) => (await request(client, urlOf(vip), 1, 0.3)).counts.has(name);
    expect(await answeredBy('server-a')).toBe(true);
    director.process.signal('SIGSTOP');
    try {
      await waitFor('the host to answer', () => answeredBy('director'), { timeout_s: 15 });
    } finally {
      director.process.signal('SIGCONT');
    }
    await waitFor('the real server to answer', () => answeredBy('server-a'), { timeout_s: 3 });
  });
});
