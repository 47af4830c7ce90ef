// The way to a program: links followed as the kernel follows them, who may execute it, and what others than root could
// change on the way. Files are a table.

import { describe, expect, test } from 'vitest';
import {
  type FileFacts,
  firstUnsafe,
  forbids,
  type ProgramPath,
  runsWithRootPowers,
  walkPath,
} from '../../../../src/runtime/scripts/program-path.js';

const root = { name: 'root', uid: 0, gid: 0 };
const nobody = { name: 'nobody', uid: 65534, gid: 65534 };

type Entry = Partial<FileFacts>;
const directory = (changes: Entry = {}): Entry => ({ kind: 'directory', mode: 0o755, ...changes });
const file = (changes: Entry = {}): Entry => ({ kind: 'file', mode: 0o755, ...changes });
const link = (target: string, changes: Entry = {}): Entry => ({
  kind: 'link',
  mode: 0o777,
  target,
  ...changes,
});

/** `/`, and these; whatever is not here is missing. */
function walk(path: string, entries: Readonly<Record<string, Entry>>): ProgramPath | string {
  const all: Readonly<Record<string, Entry>> = { '/': directory(), ...entries };
  return walkPath(path, (at) => {
    const entry = all[at];
    if (entry === undefined) return 'no such file or directory';
    return { kind: 'other', uid: 0, gid: 0, mode: 0, target: undefined, ...entry };
  });
}

function found(path: string, entries: Readonly<Record<string, Entry>>): ProgramPath {
  const result = walk(path, entries);
  if (typeof result === 'string') throw new Error(result);
  return result;
}

describe('links', () => {
  test.each([
    ['/a/x', { '/a': directory(), '/a/x': file() }, ['/', '/a', '/a/x']],
    ['//a/./x', { '/a': directory(), '/a/x': file() }, ['/', '/a', '/a/x']],
    ['/a/../x', { '/a': directory(), '/x': file() }, ['/', '/a', '/x']],
    ['/a/x', { '/a': link('/b'), '/b': directory(), '/b/x': file() }, ['/', '/a', '/b', '/b/x']],
    [
      '/a/x',
      { '/a': link('b/c'), '/b': directory(), '/b/c': directory(), '/b/c/x': file() },
      ['/', '/a', '/b', '/b/c', '/b/c/x'],
    ],
    ['/a/x', { '/a': directory(), '/a/x': link('../y'), '/y': file() }, ['/', '/a', '/a/x', '/y']],
    [
      '/a/x',
      { '/a': link('/b'), '/b': link('/c'), '/c': directory(), '/c/x': file() },
      ['/', '/a', '/b', '/c', '/c/x'],
    ],
  ])('%s %j', (path, entries, expected) => {
    expect(found(path, entries).steps.map((step) => step.path)).toEqual(expected);
  });

  test.each([
    ['/a/x', { '/a': directory() }, '/a/x: no such file or directory'],
    ['/a/x', { '/a': file() }, '/a is no directory'],
    ['/a', { '/a': directory() }, '/a is a directory'],
    ['/', {}, '/ is a directory'],
    ['/a', { '/a': {} }, '/a is no program'],
    ['/a', { '/a': link('/b'), '/b': link('/a') }, '/a: too many symbolic links'],
    ['/a', { '/a': link('/gone') }, '/gone: no such file or directory'],
  ])('%s %j: %s', (path, entries, expected) => {
    expect(walk(path, entries)).toBe(expected);
  });
});

describe('who may execute it', () => {
  test.each([
    [file({ mode: 0o755 }), nobody, undefined],
    [file({ mode: 0o750 }), nobody, '/a/x is not executable by nobody'],
    [file({ mode: 0o750, gid: 65534 }), nobody, undefined],
    [file({ mode: 0o701, gid: 65534 }), nobody, '/a/x is not executable by nobody'],
    [file({ mode: 0o055, uid: 65534 }), nobody, '/a/x is not executable by nobody'],
    [file({ mode: 0o700, uid: 65534 }), nobody, undefined],
    [file({ mode: 0o644 }), root, '/a/x is not executable by root'],
    [file({ mode: 0o001 }), root, undefined],
  ])('%j %j', (entry, account, expected) => {
    expect(forbids(found('/a/x', { '/a': directory(), '/a/x': entry }), account)).toBe(expected);
  });

  test('a directory that the account may not enter', () => {
    const path = found('/a/x', { '/a': directory({ mode: 0o700 }), '/a/x': file() });
    expect(forbids(path, nobody)).toBe('nobody may not enter /a');
    expect(forbids(path, root)).toBeUndefined();
  });
});

describe('what others than root can change', () => {
  test.each([
    ['nothing', { '/a': directory(), '/a/x': file() }, undefined],
    ["the program is another one's", { '/a': directory(), '/a/x': file({ uid: 1000 }) }, '/a/x'],
    ['everybody may write it', { '/a': directory(), '/a/x': file({ mode: 0o757 }) }, '/a/x'],
    ['a group may write it', { '/a': directory(), '/a/x': file({ mode: 0o775, gid: 50 }) }, '/a/x'],
    ['the group of root may', { '/a': directory(), '/a/x': file({ mode: 0o775 }) }, undefined],
    ["the directory is another one's", { '/a': directory({ uid: 1000 }), '/a/x': file() }, '/a'],
    ['everybody may write the directory', { '/a': directory({ mode: 0o777 }), '/a/x': file() }, '/a'],
    ['a group may write the directory', { '/a': directory({ mode: 0o775, gid: 50 }), '/a/x': file() }, '/a'],
    ["/tmp, and the program is root's", { '/a': directory({ mode: 0o1777 }), '/a/x': file() }, undefined],
    ['/tmp, and the program is not', { '/a': directory({ mode: 0o1777 }), '/a/x': file({ uid: 7 }) }, '/a/x'],
    ['a sticky bit saves no file', { '/a': directory(), '/a/x': file({ mode: 0o1757 }) }, '/a/x'],
    ["a link of root's", { '/a': directory(), '/a/x': link('/y'), '/y': file() }, undefined],
    [
      "another one's link in /tmp",
      { '/a': directory({ mode: 0o1777 }), '/a/x': link('/y', { uid: 7 }), '/y': file() },
      '/a/x',
    ],
    ['the way behind a link', { '/a': link('/b'), '/b': directory({ mode: 0o777 }), '/b/x': file() }, '/b'],
    ['even / itself', { '/': directory({ mode: 0o777 }), '/a': directory(), '/a/x': file() }, '/'],
  ])('%s', (_, entries, expected) => {
    expect(firstUnsafe(found('/a/x', entries))?.path).toBe(expected);
  });

  test.each([
    [root, file(), true],
    [{ ...nobody, gid: 0 }, file(), true],
    [nobody, file(), false],
    [nobody, file({ mode: 0o4755 }), true],
    [nobody, file({ mode: 0o4755, uid: 7 }), false],
    [nobody, file({ mode: 0o2755 }), true],
    [nobody, file({ mode: 0o2755, gid: 7 }), false],
  ])('%j runs %j with the powers of root: %s', (account, entry, expected) => {
    expect(runsWithRootPowers(found('/x', { '/x': entry }), account)).toBe(expected);
  });
});
