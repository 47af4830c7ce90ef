// `director run` with the in-memory data plane, as a process of its own: for tests of signals, log and exit codes.
// Arguments: the configuration, the socket, the log's format.

import { reportFailure } from '../../src/cli/command.js';
import { run } from '../../src/cli/run.js';
import { MemoryDataplane } from '../../src/dataplane/memory.js';
import type { LogFormat } from '../../src/runtime/log.js';

const [file = '', socket = '', logFormat = 'text'] = process.argv.slice(2);
process.exitCode = await run(
  { file, socket, logFormat: logFormat as LogFormat, logLevel: 'info' },
  { dataplane: new MemoryDataplane() },
).then(() => 0, reportFailure);
