// Paths with a narrow link (MTU 1280) on either side of the director, and the director's own device as the narrow one.
// Bulk data arrives in both directions and the sender has learned the path MTU from an ICMP error that went through us.

import { describe, expect, test } from 'vitest';
import {
  configText,
  Director,
  Lab,
  labNeeds,
  makeFile,
  md5Of,
  serverAt,
  startHttp,
  type Topology,
  topologies,
  urlOf,
  vip,
  vip6,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

type Path = {
  readonly name: string;
  readonly method: 'DR' | 'NAT';
  readonly topology: Topology;
  readonly net: number;
  /** Who sends into the narrow link with the director between: it has to learn. */
  readonly learner: 'server' | 'client';
};

const narrow = 1280;
const paths: readonly Path[] = [
  {
    name: 'NAT, narrow between client and director',
    method: 'NAT',
    topology: topologies.natRouted({ westMtu: narrow }),
    net: 6,
    learner: 'server',
  },
  {
    name: 'NAT, narrow behind the director',
    method: 'NAT',
    topology: topologies.natRouted({ eastMtu: narrow }),
    net: 6,
    learner: 'client',
  },
  {
    name: 'NAT, the director’s own device towards the servers is narrow',
    method: 'NAT',
    topology: topologies.natRouted({ directorMtu: narrow }),
    net: 6,
    learner: 'client',
  },
  {
    name: 'DR, narrow between client and servers',
    method: 'DR',
    topology: topologies.drRouted({ westMtu: narrow }),
    net: 1,
    learner: 'server',
  },
];

requires(...labNeeds).describe('path MTU', () => {
  describe.each(paths)('$name', (path) => {
    test.each([vip, vip6])('%s', async (address) => {
      await using lab = await Lab.create(path.topology);
      const client = lab.host('client');
      const server = lab.host('server-a');
      await startHttp(server);
      const http = await startHttp(lab.host('server-b'));
      // One service a server: a server that knows the narrow path says so in its MSS, the way up needs one that does not.
      const service = (port: number, index: number) => ({
        address,
        port,
        method: path.method,
        servers: [serverAt(address, path.net, index, path.method === 'NAT' ? 80 : port)],
      });
      const second = path.method === 'NAT' ? 8080 : 81;
      if (path.method === 'DR') await startHttp(lab.host('server-b'), { ports: [81] });
      await Director.start(lab.host('director'), configText([service(80, 0), service(second, 1)]));

      const { path: file, md5 } = makeFile(lab, 'five', 5);
      const copy = client.file('copy');
      await client.exec(['curl', '-sSf', '--max-time', '20', '-o', copy, urlOf(address, 80, '/files/five')]);
      expect(md5Of(copy)).toBe(md5);
      await client.exec([
        'curl',
        '-sSf',
        '--max-time',
        '20',
        '-T',
        file,
        urlOf(address, second, '/uploads/five'),
      ]);
      expect(md5Of(`${http.uploadDir}/five`)).toBe(md5);

      const clientAddress = address.includes(':') ? 'fd00:3::10' : '10.3.0.10';
      const learned =
        path.learner === 'server'
          ? server.ip(`route get ${clientAddress}`)
          : client.ip(`route get ${address}`);
      expect(await learned).toContain(`mtu ${narrow}`);
    });
  });
});
