// Who runs which script, and what is said of it at a start and after a reload.

import { expect, test } from 'vitest';
import { parseConfig } from '../../../../src/config/index.js';
import { sayOutlooks, scriptOutlooks } from '../../../../src/runtime/scripts/script-outlook.js';
import { FakeScriptRunner } from '../../../support/fake-script-runner.js';
import { RecordingLog } from '../../../support/recording-log.js';

const text = `
global_defs {
  lvs_notify_fifo /run/fifo
  lvs_notify_fifo_script /srv/reader
}
vrrp_script check {
  script "/srv/check -q"
}
vrrp_script weighs {
  script /srv/weighs
  weight 5
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 1
  virtual_ipaddress {
    10.0.0.101
  }
  track_script {
    check
    weighs
  }
  notify_master "/srv/notify master"
  notify /srv/notify
}
vrrp_instance VI_2 {
  interface eth0
  virtual_router_id 2
  virtual_ipaddress {
    10.0.0.102
  }
}
vrrp_sync_group G {
  group {
    VI_1
    VI_2
  }
  notify_fault /srv/fault
}
`;

const failover = (() => {
  const { config } = parseConfig({ file: 'test', text });
  if (config === undefined) throw new Error('not a configuration');
  return config.failover;
})();

test('every program has a title, an account, and the virtual routers that depend on it', () => {
  const runner = new FakeScriptRunner();
  const outlooks = scriptOutlooks(failover, (command) => runner.inspect(command));
  expect(outlooks.map(({ title, command, dependents }) => [title, command, dependents.join()])).toEqual([
    ['script check', '/srv/check -q', 'VI_1,VI_2'],
    ['script weighs', '/srv/weighs', ''],
    ['notify_master of VI_1', '/srv/notify master', ''],
    ['notify of VI_1', '/srv/notify', ''],
    ['notify_fault of G', '/srv/fault', ''],
    ['the script of FIFO /run/fifo', '/srv/reader', ''],
  ]);
});

test('a start says who runs what and what nobody runs; a reload only what is new', () => {
  const runner = new FakeScriptRunner();
  const log = new RecordingLog();
  const look = () => scriptOutlooks(failover, (command) => runner.inspect(command));
  const defect = { why: 'has nobody to run as', remedy: 'script_user' };
  for (const program of ['/srv/check', '/srv/notify', '/srv/reader']) runner.defects.set(program, defect);
  const first = look();
  sayOutlooks(log, [], first);
  // A tracked script says its defect itself.
  expect(log.take()).toEqual([
    'warn notify_master of VI_1 has nobody to run as (and so it is with notify of VI_1, the script of FIFO /run/fifo) remedy=script_user',
    'warn never master while script check is not run: VI_1, VI_2',
    'info scripts run as somebody: script weighs, notify_fault of G',
  ]);
  runner.defects.delete('/srv/notify');
  const second = look();
  sayOutlooks(log, first, second);
  expect(log.take()).toEqual(['info scripts run as somebody: notify_master of VI_1, notify of VI_1']);
  sayOutlooks(log, second, look());
  expect(log.take()).toEqual([]);
});
