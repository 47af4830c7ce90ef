// What a director leaves when it dies together with its guardian.

import { coded, loadNative } from '../dataplane/native-module.js';

/**
 * Removes it from this network namespace; what a restart is to find stays. Fine when there is nothing. Throws
 * ALREADY_RUNNING where a director lives, PRIVILEGE_MISSING, IO.
 */
export async function removeLeftovers(): Promise<void> {
  try {
    await loadNative().removeLeftovers();
  } catch (error) {
    throw coded(error);
  }
}
