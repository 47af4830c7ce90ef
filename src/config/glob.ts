// File name patterns as `include` takes them: `{a,b}` braces, then `*`, `?` and `[…]` within a path segment.
// Text alone; the two questions to the file system are handed in, so that the runtime's part is two calls.

import { posix } from 'node:path';

/** A file that a pattern names: its text, or why it cannot be read. */
export type IncludedFile =
  | { readonly file: string; readonly text: string }
  | { readonly file: string; readonly problem: string };

/** Files whose names match the absolute `pattern` (no braces in it), sorted by name; empty when none does. */
export type ReadFiles = (pattern: string) => readonly IncludedFile[];

/** What `readFilesFrom` asks of a file system. */
export type FileSystem = {
  /** Names in the directory, or undefined when it cannot be listed. */
  readonly list: (directory: string) => readonly string[] | undefined;
  /** The file's text, the reason why it cannot be read, or undefined when there is none. */
  readonly read: (file: string) => { readonly text: string } | { readonly problem: string } | undefined;
};

const maxAlternatives = 1_024;

/** A `ReadFiles` over any file system. */
export function readFilesFrom(system: FileSystem): ReadFiles {
  return (pattern) => {
    const files: IncludedFile[] = [];
    for (const file of namesMatching(pattern, system)) {
      const content = system.read(file);
      if (content !== undefined) files.push({ file, ...content });
    }
    return files;
  };
}

export function hasWildcard(pattern: string): boolean {
  return /[*?[]/.test(pattern);
}

function namesMatching(pattern: string, system: FileSystem): string[] {
  let paths = [pattern.startsWith('/') ? '/' : '.'];
  for (const segment of pattern.split('/').filter((part) => part !== '')) {
    const matches = hasWildcard(segment) ? segmentMatcher(segment) : undefined;
    paths = paths.flatMap((path) => {
      if (matches === undefined) return [posix.join(path, segment)];
      const names = system.list(path)?.filter(matches) ?? [];
      return names.toSorted().map((name) => posix.join(path, name));
    });
  }
  return paths;
}

/** `*` and `?` match no leading dot, as in a shell. */
function segmentMatcher(segment: string): (name: string) => boolean {
  const source = segment.replace(/\*+|\?|\[(!?)([^\]]+)\]|[\\^$.|+(){}[\]]/g, (part, negated, members) => {
    if (part.startsWith('*')) return '.*';
    if (part === '?') return '.';
    if (members !== undefined) return `[${negated === '!' ? '^' : ''}${members.replace(/[\\\]^]/g, '\\$&')}]`;
    return `\\${part}`;
  });
  const expression = new RegExp(`^${source}$`, 's');
  return (name) => name.startsWith('.') === segment.startsWith('.') && expression.test(name);
}

/** `a{b,{c,d}}e` to `abe`, `ace`, `ade`; undefined beyond 1,024 names. A brace without partner is a character. */
export function expandBraces(pattern: string): readonly string[] | undefined {
  let pending = [pattern];
  const done: string[] = [];
  while (pending.length > 0) {
    const next: string[] = [];
    for (const text of pending) {
      const group = firstGroup(text);
      if (group === undefined) done.push(text);
      else
        next.push(
          ...group.members.map((member) => text.slice(0, group.start) + member + text.slice(group.end)),
        );
    }
    if (next.length + done.length > maxAlternatives) return undefined;
    pending = next;
  }
  return done;
}

/** The first outermost group, its members split at its own commas. */
function firstGroup(text: string): { start: number; end: number; members: string[] } | undefined {
  const start = text.indexOf('{');
  if (start < 0) return undefined;
  const members: string[] = [];
  let depth = 0;
  let memberStart = start + 1;
  for (let at = start; at < text.length; at++) {
    const sign = text[at];
    if (sign === '{') depth++;
    if (sign === '}') depth--;
    if ((sign === ',' && depth === 1) || depth === 0) {
      members.push(text.slice(memberStart, at));
      memberStart = at + 1;
    }
    if (depth === 0) return { start, end: at + 1, members };
  }
  return undefined;
}
