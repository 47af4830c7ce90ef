// Every command against a live director, and the HTTP API as curl sees it: texts, exit codes, modes.
// The exact listings are compared in test/unit; here they have to speak of real traffic.

import { statSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  cliFile,
  configText,
  Director,
  type Host,
  Lab,
  labNeeds,
  request,
  type ServiceSpec,
  serverAt,
  startHttp,
  topologies,
  urlOf,
  vip,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const metrics = '127.0.0.1:9555';
const services: readonly ServiceSpec[] = [
  {
    address: vip,
    port: 80,
    method: 'NAT',
    scheduler: 'wrr',
    servers: [serverAt(vip, 2, 0), { ...serverAt(vip, 2, 1), weight: 3 }],
  },
];
const config = configText(services, `director {\n    metrics ${metrics}\n}`);

requires(...labNeeds).describe('commands', () => {
  let lab: Lab;
  let director: Director;
  let client: Host;

  beforeAll(async () => {
    lab = await Lab.create(topologies.nat());
    client = lab.host('client');
    await Promise.all(['server-a', 'server-b'].map((name) => startHttp(lab.host(name))));
    director = await Director.start(lab.host('director'), config);
    expect((await request(client, urlOf(vip), 8)).failures).toEqual([]);
  });
  afterAll(async () => {
    await lab?.dispose();
  });

  const output = async (command: string) => {
    const result = await director.cli(command);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    return result.stdout;
  };

  test('list -n is ipvsadm’s text', async () => {
    const lines = (await output('list -n')).split('\n');
    expect(lines[0]).toMatch(/^IP Virtual Server version 1\.2\.1 \(size=\d+\)$/);
    expect(lines[1]).toBe('Prot LocalAddress:Port Scheduler Flags');
    expect(lines[2]).toBe('  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn');
    expect(lines[3]).toBe('TCP  10.1.0.100:80 wrr');
    expect(lines[4]).toMatch(/^ {2}-> 10\.2\.0\.2[12]:80 {17}Masq {4}[13] {6}0 {10}\d+ +$/);
  });

  test('list --stats, --rate and --thresholds have the columns and the counts', async () => {
    const stats = await output('list -n --stats');
    expect(stats).toContain('Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes');
    expect(stats).toMatch(/^TCP {2}10\.1\.0\.100:80 +8 +\d\d +\d\d +\d+ +\d+$/m);
    expect(stats).toMatch(/-> 10\.2\.0\.22:80 +6 /);
    expect(await output('list -n --rate')).toContain('CPS    InPPS   OutPPS    InBPS   OutBPS');
    expect(await output('list -n --thresholds')).toContain('Uthreshold Lthreshold ActiveConn InActConn');
  });

  test('connections -n shows the connections with their states', async () => {
    const text = await output('connections -n');
    expect(text).toMatch(/^IPVS connection entries\npro expire state +source +virtual +destination\n/);
    const own = text
      .split('\n')
      .filter((line) =>
        /^TCP \d\d:\d\d +\S+ +10\.1\.0\.10:\d+ +10\.1\.0\.100:80 +10\.2\.0\.2[12]:80$/.test(line),
      );
    expect(own).toHaveLength(8);
  });

  test('stats, status and doctor have something to say, as text and as JSON', async () => {
    for (const verb of ['stats', 'status']) {
      expect(await output(verb)).not.toBe('');
      expect(JSON.parse(await output(`${verb} --json`))).toBeTruthy();
    }
    const doctor = await director.cli('doctor');
    expect(doctor.stdout + doctor.stderr).not.toBe('');
    expect(JSON.parse((await director.cli('doctor --json')).stdout)).toBeTruthy();
  });

  test('metrics are there for Prometheus', async () => {
    const text = await lab.host('director').exec(`curl -sSf http://${metrics}/metrics`);
    expect(text).toMatch(/^uvs_service_up\{.*address="10\.1\.0\.100".*\} 1$/m);
    expect(text).toMatch(/^uvs_verdicts_total\{verdict="forward"\} [1-9]/m);
  });

  test('reload says the generation, and HUP reloads as well', async () => {
    const generation = async () =>
      ((await director.api('GET', '/v1/status')).body as { generation: number }).generation;
    const before = await generation();
    const result = await director.reload(config.replace('weight 3', 'weight 4'));
    expect(result.code).toBe(0);
    const after = await generation();
    expect(after).toBeGreaterThan(before);
    expect(result.stdout).toContain(String(after));
    lab.host('director').writeFile(director.configFile.replace(/.*\/director\./, ''), config);
    director.process.signal('SIGHUP');
    await director.process.waitForOutput(new RegExp(`"?generation"?.{0,20}${after + 1}`));
    expect((await director.list())[0]?.servers.map((server) => server.weight).sort()).toEqual([1, 3]);
  });

  test('without a director the exit code is 3, with a wrong option 2', async () => {
    const nowhere = await lab
      .host('director')
      .tryExec(['node', cliFile, 'list', '--socket', '/nonexistent/sock']);
    expect(nowhere.code).toBe(3);
    expect(nowhere.stderr).not.toBe('');
    expect((await director.cli('list --no-such-option')).code).toBe(2);
  });

  test('the HTTP API answers on a socket that only its owner may use', async () => {
    expect(statSync(director.socket).mode & 0o777).toBe(0o600);
    for (const path of [
      '/v1/status',
      '/v1/services',
      '/v1/connections?limit=10',
      '/v1/stats',
      '/v1/config',
    ]) {
      const text = await lab
        .host('director')
        .exec(['curl', '-sSf', '--unix-socket', director.socket, `http://director${path}`]);
      expect(JSON.parse(text)).toBeTruthy();
    }
    const wrong = await director.api('POST', '/v1/changes', { nonsense: true });
    expect(wrong.status).toBeGreaterThanOrEqual(400);
    expect(wrong.body).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } });
    expect((await director.api('GET', '/v1/nothing')).status).toBe(404);
  });
});
