// Reads the files of a configuration without ever waiting for them on the event loop: a mount that does not answer costs the
// reload its deadline, and nothing else. Parsing asks for files in one go (src/config), so it is done over what is read
// already, and again when that has named more. Regular files only, bounded in size and number.

import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { type FileSystem, maxIncludedFiles } from '../config/index.js';
import { DirectorError } from '../errors.js';
import { decodeText } from '../model/text.js';

export const configLimits = {
  file_bytes: 16 * 1024 * 1024,
  all_bytes: 64 * 1024 * 1024,
  /** For all files of one load together. */
  deadline_ms: 5_000,
  /** An include in an include in …, and directories of a pattern: each is a round. */
  rounds: 64,
} as const;

export type ConfigLimits = { readonly [Name in keyof typeof configLimits]: number };

type Content = { readonly text: string } | { readonly problem: string } | undefined;

/** What of Node's is used; a test has one that does not answer. */
export type Disk = {
  readonly stat: typeof stat;
  readonly open: typeof open;
  readonly readdir: typeof readdir;
};

/** The file that did not answer an earlier load. A thread waits for it until it does; there will be no second. */
let hanging: string | undefined;

/** The files of one load. */
export class ConfigFiles {
  private readonly contents = new Map<string, Content>();
  private readonly directories = new Map<string, readonly string[] | undefined>();
  private askedFiles = new Set<string>();
  private askedDirectories = new Set<string>();
  private rest_bytes: number;
  /** Wall clock; set by the first file. */
  private deadline: number | undefined;
  private readonly limits: ConfigLimits;

  constructor(
    limits: Partial<ConfigLimits> = {},
    private readonly disk: Disk = { stat, open, readdir },
  ) {
    this.limits = { ...configLimits, ...limits };
    this.rest_bytes = this.limits.all_bytes;
  }

  /** Answers from what is read, and notes what is not. */
  readonly system: FileSystem = {
    list: (directory) => {
      if (!this.directories.has(directory)) this.askedDirectories.add(directory);
      return this.directories.get(directory);
    },
    read: (file) => {
      if (!this.contents.has(file)) this.askedFiles.add(file);
      return this.contents.get(file);
    },
  };

  /** The file's text. Throws CONFIG_UNREADABLE when it can't be read. */
  async text(file: string): Promise<string> {
    await this.within(file, this.readFile(file));
    const content = this.contents.get(file);
    if (content !== undefined && 'text' in content) return content.text;
    throw new DirectorError('CONFIG_UNREADABLE', `can't read ${file}: ${content?.problem ?? missing}`);
  }

  /**
   * Runs `pass` over `system` until it asks for nothing that is not read. Throws CONFIG_UNREADABLE when a file does not
   * answer in time, or names ever more files.
   */
  async settle(pass: () => Promise<unknown>): Promise<void> {
    for (let round = 0; round < this.limits.rounds; round++) {
      await pass();
      const files = [...this.askedFiles];
      const directories = [...this.askedDirectories];
      if (files.length + directories.length === 0) return;
      this.askedFiles = new Set();
      this.askedDirectories = new Set();
      for (const directory of directories) await this.within(directory, this.readDirectory(directory));
      for (const file of files) await this.within(file, this.readFile(file));
      if (directories.length === 0 && !files.some((file) => this.includesMore(file))) return;
    }
    throw new DirectorError(
      'CONFIG_UNREADABLE',
      `includes name more files after ${this.limits.rounds} rounds`,
    );
  }

  private includesMore(file: string): boolean {
    const content = this.contents.get(file);
    return content !== undefined && 'text' in content && /\binclude/.test(content.text);
  }

  private async within(path: string, reading: Promise<void>): Promise<void> {
    this.deadline ??= Date.now() + this.limits.deadline_ms;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => {
          hanging = path;
          const what = `${path} does not answer: no byte of it within ${this.limits.deadline_ms / 1_000} s`;
          reject(new DirectorError('CONFIG_UNREADABLE', what));
        },
        Math.max(0, (this.deadline as number) - Date.now()),
      );
    });
    const forget = () => {
      if (hanging === path) hanging = undefined;
    };
    reading.then(forget, () => {});
    await Promise.race([reading, late]).finally(() => clearTimeout(timer));
  }

  private async readDirectory(directory: string): Promise<void> {
    refuseWhileHanging();
    this.directories.set(directory, await this.disk.readdir(directory).catch(() => undefined));
  }

  private async readFile(file: string): Promise<void> {
    refuseWhileHanging();
    this.contents.set(file, await this.contentOf(file).catch(contentOfError));
  }

  private async contentOf(file: string): Promise<Content> {
    if (this.contents.size >= maxIncludedFiles)
      return { problem: `there are more than ${maxIncludedFiles} files` };
    // Before it is opened: to open a device may do something, and a FIFO waits for its other end.
    const status = await this.disk.stat(file);
    if (!status.isFile()) return { problem: kindOf(status) };
    const handle = await this.disk.open(file, 'r');
    try {
      return await this.readOpen(handle);
    } finally {
      await handle.close();
    }
  }

  private async readOpen(handle: FileHandle): Promise<Content> {
    const status = await handle.stat();
    if (!status.isFile()) return { problem: kindOf(status) };
    const limit = Math.min(this.limits.file_bytes, this.rest_bytes);
    // Files of /proc say that they are empty.
    const bytes = Buffer.alloc(Math.min(Math.max(status.size, 65_536), limit) + 1);
    let size = 0;
    for (;;) {
      const { bytesRead } = await handle.read(bytes, size, bytes.length - size);
      size += bytesRead;
      if (bytesRead === 0) break;
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

function refuseWhileHanging(): void {
  if (hanging === undefined) return;
  throw new DirectorError(
    'CONFIG_UNREADABLE',
    `${hanging} has not answered an earlier attempt yet; nothing is read meanwhile`,
  );
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

type Kind = Pick<
  Awaited<ReturnType<typeof stat>>,
  'isDirectory' | 'isFIFO' | 'isSocket' | 'isCharacterDevice'
>;

function kindOf(status: Kind): string {
  if (status.isDirectory()) return 'it is a directory';
  const what = status.isFIFO() ? 'a FIFO' : status.isSocket() ? 'a socket' : 'a device';
  return `it is ${what}, and only regular files are read`;
}
