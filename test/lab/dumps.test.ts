// What USR1, USR2 and the JSON signal write, beside what the live keepalived writes for the same configuration: every
// line and field of ours is one of its own, and where both must know the same they say the same.

import { expect } from 'vitest';
import { MemoryDataplane } from '../../src/dataplane/memory.js';
import { MemoryNetwork } from '../../src/dataplane/memory-network.js';
import type { IpAddress } from '../../src/model/address.js';
import { systemClock } from '../../src/runtime/clock.js';
import { createDirector } from '../../src/runtime/create-director.js';
import { Keepalived, Lab, waitFor } from '../support/lab/index.js';
import { requires } from '../support/require.js';

const configWith = (file: string) => `
global_defs {
  router_id lab
  script_user root
  vrrp_garp_master_refresh 60
  vrrp_higher_prio_send_advert true
}
track_file load {
  file ${file}
}
vrrp_script fit {
  script "/usr/bin/test -e '/etc/passwd'"
  interval 2
  user nobody
}
vrrp_sync_group G {
  group {
    VI_2
    VI_3
  }
  track_script {
    fit
  }
  notify_master "/usr/bin/true 'to master'"
  notify_backup /usr/bin/true daemon
}
vrrp_instance VI_1 {
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority 150
  advert_int 1
  authentication {
    auth_type PASS
    auth_pass secret
  }
  track_interface {
    lo weight 3
  }
  track_file {
    load weight 2
  }
  virtual_ipaddress {
    10.9.0.100/24 dev eth0 label eth0:1
    10.9.0.101
  }
  virtual_ipaddress_excluded {
    10.9.0.102
  }
}
vrrp_instance VI_2 {
  state BACKUP
  interface eth0
  version 3
  virtual_router_id 52
  priority 100
  advert_int 0.5
  nopreempt
  unicast_src_ip 10.9.0.1
  unicast_peer {
    10.9.0.2
  }
  virtual_ipaddress {
    10.9.0.110
  }
}
vrrp_instance VI_3 {
  state BACKUP
  interface eth0
  version 3
  virtual_router_id 53
  virtual_ipaddress {
    10.9.0.111
  }
}
`;

/** What stands before the value; entries of lists are all alike. */
function labelOf(line: string): string {
  if (/^ {5}/.test(line)) return 'an entry';
  return line.replace(/ *(=|:| \().*$/, '').replace(/^( *(?:Multicast address|Use VMAC|Interface)).*/, '$1');
}

/** Of each virtual router in a data dump, its lines. */
function partsOf(text: string): Map<string, string[]> {
  const [, topology = ''] = text.split('------< VRRP Topology >------\n');
  const [own = ''] = topology.split(/^------</m);
  const parts = own.split(/^ VRRP Instance = /m).slice(1);
  return new Map(
    parts.map((part) => {
      const [name = '', ...lines] = part.trimEnd().split('\n');
      return [name, lines];
    }),
  );
}

/** The lines of one section. */
function sectionOf(text: string, title: string): string[] {
  const [, rest = ''] = text.split(`------< ${title} >------\n`);
  return (rest.split(/^------</m)[0] ?? '').trimEnd().split('\n');
}

/** Lines whose values both know: what was configured, and the state of a backup. */
const shared =
  /VRRP Version|Sync group|State|Wantstate|Using src_ip|Multicast address|Gratuitous|Down timer|Send advert|Virtual Router|Priority|priority|Advert interval|Accept|Preempt|Authentication|Password|Virtual IP|scope|Unicast|min_ttl|Check unicast|Tracked|weight|Notify priority/;

/** keepalived's v3 intervals are whole or fractions; its flags are printed by another rule. */
const unlike = /Flags|fd_in|Master down timer|Read timeout|Last transition/;

const needs = requires('root', 'pkg:keepalived');

needs.test(
  'dumps read as keepalived’s',
  async () => {
    await using lab = await Lab.create({
      name: 'dumps',
      hosts: { a: { devices: { eth0: { addresses: ['10.9.0.1/24'] } } }, b: { devices: { eth0: {} } } },
      links: [['a:eth0', 'b:eth0']],
    });
    const config = configWith(lab.host('a').writeFile('load', '0'));
    const keepalived = await Keepalived.start(lab.host('a'), config);
    const links = [
      { name: 'lo', addresses: [] },
      { name: 'eth0', addresses: [{ address: '10.9.0.1' as IpAddress, length: 24 }] },
    ];
    const director = createDirector(
      { configText: config },
      { dataplane: new MemoryDataplane(), network: new MemoryNetwork({ clock: systemClock, links }) },
    );
    await director.start();
    // Both have just started: backups, before anybody has become master.
    const theirText = await waitFor('keepalived to know how its script ends', async () => {
      const text = await keepalived.dumpText('data');
      return text.includes('State = FAULT') ? undefined : text;
    });
    const ourText = director.dumpText('data');
    const [theirs, ours] = [partsOf(theirText), partsOf(ourText)];
    for (const title of ['VRRP Sync groups', 'VRRP Scripts']) {
      const known = sectionOf(theirText, title);
      const differing = /Num member|Status =|State =|Last result|Timeout =|VRRP Sync Group/;
      expect(
        sectionOf(ourText, title).filter((line) => !known.includes(line) && !differing.test(line)),
      ).toEqual([]);
      expect(sectionOf(ourText, title).length, title).toBeGreaterThan(7);
    }
    const json = await keepalived.dump('VI_1');
    const theirStats = await keepalived.dumpText('stats');
    expect([...ours.keys()]).toEqual(['VI_1', 'VI_2', 'VI_3']);
    for (const [name, lines] of ours) {
      const other = theirs.get(name) ?? [];
      expect(
        lines.map(labelOf).filter((label) => !other.map(labelOf).includes(label)),
        name,
      ).toEqual([]);
      const comparable = (all: readonly string[]) =>
        all.filter((line) => shared.test(line) && !unlike.test(line));
      expect(comparable(lines), name).toEqual(
        comparable(other).filter((line) => lines.map(labelOf).includes(labelOf(line))),
      );
    }
    const [dump] = JSON.parse(director.dumpText('json')) as (typeof json)[];
    for (const part of ['data', 'stats'] as const) {
      const known = Object.keys(json[part]);
      expect(
        Object.keys(dump?.[part] ?? {}).filter((field) => !known.includes(field)),
        part,
      ).toEqual([]);
    }
    const statsLines = (text: string) =>
      text
        .split('VRRP Instance: VI_2')[0]
        ?.replace(/ {2}Further[\s\S]*/, '')
        .replaceAll(/\d+$/gm, '0');
    expect(statsLines(director.dumpText('stats'))).toBe(statsLines(theirStats));
    await director.stop();
  },
  60_000,
);
