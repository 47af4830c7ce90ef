// The files of one configuration, read at once: regular files only, bounded in size and number. A read may wait for as long
// as a mount does not answer, so a running director has it done by a child process (loader.ts).

import { closeSync, fstatSync, openSync, readdirSync, readSync, type Stats, statSync } from 'node:fs';
import { type FileSystem, maxIncludedFiles } from '../../config/index.js';
import { DirectorError } from '../../errors.js';
import { decodeText } from '../../model/text.js';
import { otherKind } from '../file-kind.js';

export const fileLimits = { file_bytes: 16 * 1024 * 1024, all_bytes: 64 * 1024 * 1024 } as const;

export type FileLimits = { readonly [Name in keyof typeof fileLimits]: number };

type Content = ReturnType<FileSystem['read']>;

export class ConfigFiles implements FileSystem {
  private count = 0;
  private rest_bytes: number;
  private readonly limits: FileLimits;

  /** `onRead` hears of each path before anything waits for it, and with undefined when it has answered. */
  constructor(
    limits: Partial<FileLimits> = {},
    private readonly onRead: (path: string | undefined) => void = () => {},
  ) {
    this.limits = { ...fileLimits, ...limits };
    this.rest_bytes = this.limits.all_bytes;
  }

  readonly list = (directory: string): readonly string[] | undefined =>
    this.asking(directory, () => {
      try {
        return readdirSync(directory);
      } catch {
        return undefined;
      }
    });

  readonly read = (file: string): Content =>
    this.asking(file, () => {
      try {
        return this.contentOf(file);
      } catch (error) {
        return contentOfError(error as NodeJS.ErrnoException);
      }
    });

  /** The file's text. Throws CONFIG_UNREADABLE when it can't be read. */
  text(file: string): string {
    const content = this.read(file);
    if (content !== undefined && 'text' in content) return content.text;
    throw new DirectorError('CONFIG_UNREADABLE', `can't read ${file}: ${content?.problem ?? missing}`);
  }

  private asking<T>(path: string, ask: () => T): T {
    this.onRead(path);
    const answer = ask();
    this.onRead(undefined);
    return answer;
  }

  private contentOf(file: string): Content {
    if (++this.count > maxIncludedFiles) return { problem: `there are more than ${maxIncludedFiles} files` };
    // Before it is opened: to open a device may do something, and a FIFO waits for its other end.
    const status = statSync(file);
    const kind = problemOf(status);
    if (kind !== undefined) return { problem: kind };
    const descriptor = openSync(file, 'r');
    try {
      return this.contentOfOpen(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  private contentOfOpen(descriptor: number): Content {
    const status = fstatSync(descriptor);
    const kind = problemOf(status);
    if (kind !== undefined) return { problem: kind };
    const limit = Math.min(this.limits.file_bytes, this.rest_bytes);
    // Files of /proc say that they are empty.
    const bytes = Buffer.alloc(Math.min(Math.max(status.size, 65_536), limit) + 1);
    let size = 0;
    for (;;) {
      const read = readSync(descriptor, bytes, size, bytes.length - size, null);
      size += read;
      if (read === 0) break;
      if (size === bytes.length) {
        const isOne = size > this.limits.file_bytes;
        const most = isOne ? this.limits.file_bytes : this.limits.all_bytes;
        return { problem: `${isOne ? 'it has' : 'all files together have'} more than ${most} bytes` };
      }
    }
    this.rest_bytes -= size;
    return { text: decodeText(bytes.subarray(0, size)) };
  }
}

const missing = 'there is no such file';
const reasons: Readonly<Record<string, string>> = {
  ENOENT: missing,
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
};

/** What an include does with one that is missing is its business: undefined. */
function contentOfError(error: NodeJS.ErrnoException): Content {
  if (error.code === 'ENOENT') return undefined;
  return { problem: reasons[error.code ?? ''] ?? error.message };
}

function problemOf(status: Stats): string | undefined {
  const kind = otherKind(status);
  return kind === undefined || status.isDirectory() ? kind : `${kind}, and only regular files are read`;
}
