// Names of accounts to numbers: what /etc/passwd and /etc/group say, numbers that stand for themselves, and what is wrong.

import { expect, test } from 'vitest';
import { findAccount } from '../../../../src/runtime/scripts/accounts.js';

const database = {
  passwd:
    'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/nonexistent:/bin/false\nodd:x:nan:3::/:/bin/sh\n',
  group: 'root:x:0:\nnogroup:x:65534:\nwatch:x:104:nobody\n',
};

test.each([
  ['root', undefined, { name: 'root', uid: 0, gid: 0 }],
  ['nobody', undefined, { name: 'nobody', uid: 65534, gid: 65534 }],
  ['nobody', 'watch', { name: 'nobody', uid: 65534, gid: 104 }],
  ['nobody', '7', { name: 'nobody', uid: 65534, gid: 7 }],
  ['65534', undefined, { name: 'nobody', uid: 65534, gid: 65534 }],
  ['70000', '70000', { name: '70000', uid: 70000, gid: 70000 }],
  ['70000', undefined, '70000 without a group'],
  ['keepalived_script', undefined, 'keepalived_script, which is no account in /etc/passwd'],
  ['odd', undefined, 'odd, which is no account in /etc/passwd'],
  ['', undefined, ', which is no account in /etc/passwd'],
  ['nobody', 'none', 'nobody with the group none, which is not in /etc/group'],
  // (uid_t)-1 means "leave it": setresuid would keep us root.
  ['4294967295', '1', '4294967295, which is no account in /etc/passwd'],
  ['1', '4294967295', '1 with the group 4294967295, which is not in /etc/group'],
])('%s %s', (user, group, expected) => {
  expect(findAccount({ user, group }, database)).toEqual(expected);
});
