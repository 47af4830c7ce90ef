// TCP_CHECK: does the server accept a connection?

import type { CheckerPolicy } from '../../model/director-config.js';
import { defineChecker } from './checker.js';
import { type Connection, connectionRows, examineConnection } from './connection.js';

export type TcpCheckPolicy = CheckerPolicy<'tcp', Connection>;

export const tcpCheck = defineChecker({
  kind: 'tcp',
  keyword: 'TCP_CHECK',
  question: connectionRows,
  examine: examineConnection,
});
