// The end of the process is bounded: Node's own waits for its threads, and one of them may hang in a file for ever.

import { loadNative } from '../dataplane/native-module.js';

/** How long it may take, once everything has been stopped. */
const patience_ms = 2_000;

/** From now on `process.exit` takes no longer than that. Throws NATIVE_MISSING. */
export function boundProcessEnd(): void {
  const { exitWithin } = loadNative();
  process.once('exit', (code) => exitWithin(patience_ms, code));
}
