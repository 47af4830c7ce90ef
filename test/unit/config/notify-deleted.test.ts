// notify_deleted with and without a script: the keyword alone changes the word that others hear.
import { expect, test } from 'vitest';
import { printConfig } from '../../../src/config/print.js';
import { configOf } from '../../support/parse-config.js';

test.each([
  ['', undefined],
  ['notify_deleted', { words: [], account: undefined }],
  [
    'notify_deleted "/bin/gone now" nobody',
    { words: ['/bin/gone', 'now'], account: { user: 'nobody', group: undefined } },
  ],
])('%j', (line, deleted) => {
  const text = `vrrp_instance a {\ninterface eth0\nvirtual_router_id 51\nvirtual_ipaddress {\n10.0.0.1\n}\n${line}\n}\n`;
  const config = configOf(text);
  expect(config.failover.routers[0]?.notify.deleted).toEqual(deleted);
  const again = configOf(printConfig(config));
  expect(again.failover.routers[0]?.notify.deleted).toEqual(deleted);
});
