// The child process that reads a configuration for a running director: one request, one answer in pieces, and it ends. It may
// wait for a file for ever; then it is killed, and nobody waits for it.

import { DirectorError, type ErrorCode } from '../../errors.js';
import { cut, type Piece } from './pieces.js';
import { type ReadRequest, readSource } from './read-source.js';

/** From the reader, in this order: paths, then `head` and what belongs into it, `end`; or `failed` at any time. */
export type ReaderMessage =
  /** It waits for this path, or for none. */
  | { readonly kind: 'asks'; readonly path: string | undefined }
  | { readonly kind: 'head'; readonly head: unknown }
  | { readonly kind: 'piece'; readonly piece: Piece }
  | { readonly kind: 'end' }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

function answer(request: ReadRequest): void {
  try {
    const { head, pieces } = cut(readSource(request, (path) => send({ kind: 'asks', path })));
    send({ kind: 'head', head });
    for (const piece of pieces) send({ kind: 'piece', piece });
    send({ kind: 'end' });
  } catch (error) {
    if (!(error instanceof DirectorError)) throw error;
    send({ kind: 'failed', code: error.code, message: error.message });
  }
}

function send(message: ReaderMessage): void {
  process.send?.(message);
}

process.once('message', (request) => answer(request as ReadRequest));
// Nobody is left to hear the answer.
process.once('disconnect', () => process.exit());
