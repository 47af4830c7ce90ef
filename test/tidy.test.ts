// Architecture and style as a test: who may import whom, what may be called where, how files look and are named.
// The rules are tables; each carries planted bad input that it must catch. Reads the files that git tracks or would
// track, and changes nothing. Patterns are spelled so that they do not match this file.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

type SourceFile = { readonly path: string; readonly text: string };
/** What is wrong, in words; undefined when nothing is. */
type Check = (file: SourceFile) => string | undefined;
type Rule = { readonly name: string; readonly check: Check; readonly bad: readonly SourceFile[] };

/** Folder under addon/ -> folders whose headers it may include. A folder may always include itself. */
const includes: Readonly<Record<string, readonly string[]>> = {
  // What the kernel programs and C++ both read: maps, hash, flow layout.
  shared: [],
  'core/net': ['shared'],
  'core/table': ['core/net'],
  'core/flow': ['core/net', 'shared'],
  'core/schedule': ['core/table', 'core/net'],
  'core/forward': ['core/flow', 'core/table', 'core/net', 'shared'],
  'core/path': ['core/schedule', 'core/flow', 'core/forward', 'core/table', 'core/net', 'shared'],
  sync: ['core/flow', 'core/net'],
  bpf: ['shared'],
  io: ['core/net', 'shared'],
  worker: ['core/path', 'core/table', 'core/net', 'io'],
  host: ['core/forward', 'core/net', 'io'],
  // A process of its own that knows nothing of packets.
  launcher: [],
  // Lies in Node's process before Node, and knows nothing.
  early: [],
  // An executable of its own, built of the few parts of host that it needs.
  guardian: ['host', 'io', 'core/net'],
  // It builds the devices, the worker and its director, and hands them to each other; it decides nothing. No Node.
  dataplane: ['worker', 'host', 'io', 'core/path', 'core/schedule', 'core/table', 'core/forward', 'core/net'],
  // JavaScript's values in, JavaScript's values out.
  node: ['dataplane', 'worker', 'host', 'io', 'core/path', 'core/table', 'core/forward', 'core/net'],
};

/** Folder (or file) of src/ -> what it may import: folders and files of src/, `node:` modules, packages. */
const imports: Readonly<Record<string, readonly string[]>> = {
  model: [],
  // Arithmetic on paths touches no file.
  config: ['model', 'node:path'],
  vrrp: ['model'],
  health: ['model'],
  dataplane: ['model', 'errors', 'node:'],
  // What ipvsadm's words mean; who carries them out asks a director.
  ipvsadm: ['runtime', 'model'],
  runtime: ['vrrp', 'health', 'config', 'dataplane', 'model', 'errors', 'node:', 'pino', 'zod'],
  cli: ['ipvsadm', 'runtime', 'config', 'model', 'errors', 'node:', 'commander'],
  errors: [],
  index: ['runtime', 'config', 'dataplane', 'model', 'errors'],
};

/** Room of src/runtime/ -> other rooms that it may know. What lies in no room puts them together. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  loading: [],
  probes: [],
  scripts: [],
  tracking: ['scripts'],
  failover: ['scripts', 'tracking'],
  dumps: ['scripts', 'failover'],
};

/** Calls with a name, and the folders of src/ that may make them. */
const effects = /\b(Date\.now|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|process\.)/;
const effectFolders = ['src/runtime/', 'src/cli/'];

/** The packet path: no exceptions, clocks, locks, threads, I/O, and nothing of Node. */
const coreForbidden =
  /#include <(chrono|thread|mutex|shared_mutex|condition_variable|iostream|fstream|cstdio|functional|stdexcept|napi\.h|node_api\.h)>|\b(throw|try|clock_gettime|gettimeofday|dynamic_cast|typeid)\b/;

const bannedWords = /\b(TOD[O]|FIXM[E]|XX[X])\b/;
/** Where a package came from, and paths of one machine. */
const bannedPlaces =
  /registr[y]\.(npmjs|yarnpkg|npmmirror)|npm\.pkg\.githu[b]|artifactor[y]|"resolve[d]":|(^|[^\w.])\/wor[k]\/|\/home\/[a-z]/;

const testFolders = ['unit', 'contract', 'property', 'golden', 'sim', 'fuzz', 'lab', 'support'];
const maxLines = 500;
/** Path -> why it may be longer. */
const longFiles: Readonly<Record<string, string>> = {};

const isSource = (path: string) => /\.(ts|mjs|cc|h|c|sh)$/.test(path);
const isTypeScript = (path: string) => /\.(ts|mjs)$/.test(path);
const isNative = (path: string) => /\.(cc|h|c)$/.test(path);

const rules: readonly Rule[] = [
  {
    name: 'C++ includes follow the layers',
    check: wrongInclude,
    bad: [
      { path: 'addon/core/net/a.cc', text: '#include "core/table/service.h"' },
      { path: 'addon/core/path/a.cc', text: '#include "node/module.h"' },
      { path: 'addon/io/a.cc', text: '#include "core/path/director.h"' },
      { path: 'addon/shared/a.h', text: '#include "core/net/parse.h"' },
      { path: 'addon/unheard/a.cc', text: '' },
      { path: 'addon/core/net/b.cc', text: '#include "a.h"' },
    ],
  },
  {
    name: 'TypeScript imports follow the layers',
    check: wrongImport,
    bad: [
      { path: 'src/model/a.ts', text: "import { b } from '../config/b.js';" },
      { path: 'src/vrrp/a.ts', text: "import type { b } from '../health/b.js';" },
      { path: 'src/config/a.ts', text: "import { readFileSync } from 'node:fs';" },
      { path: 'src/runtime/a.ts', text: "export * from '../cli/b.js';" },
      { path: 'src/health/a.ts', text: "const b = await import('../runtime/b.js');" },
      { path: 'src/runtime/a.ts', text: "import { Command } from 'commander';" },
      { path: 'src/unheard/a.ts', text: '' },
      { path: 'src/model/a.ts', text: "import { test } from '../../test/support/b.js';" },
    ],
  },
  {
    name: 'rooms of src/runtime know each other as the table says',
    check: wrongRoom,
    bad: [
      { path: 'src/runtime/scripts/a.ts', text: "import { b } from '../failover/b.js';" },
      { path: 'src/runtime/failover/a.ts', text: "import type { b } from '../dumps/b.js';" },
      { path: 'src/runtime/unheard/a.ts', text: '' },
    ],
  },
  {
    name: 'clocks, timers, chance and the process only in runtime and cli',
    check: ({ path, text }) =>
      path.startsWith('src/') && !effectFolders.some((folder) => path.startsWith(folder))
        ? found(effects, codeOf(text))
        : undefined,
    bad: ['Date.now()', 'performance.now()', 'setTimeout(f, 1)', 'Math.random()', 'process.env'].map(
      (text) => ({
        path: 'src/vrrp/a.ts',
        text,
      }),
    ),
  },
  {
    name: 'the packet path has no exceptions, clocks, locks or I/O',
    check: ({ path, text }) =>
      /^addon\/(core|sync)\//.test(path) ? found(coreForbidden, codeOf(text)) : undefined,
    bad: ['#include <chrono>', '#include <mutex>', 'throw 1;', 'clock_gettime(CLOCK_MONOTONIC, &now);'].map(
      (text) => ({ path: 'addon/core/path/a.cc', text }),
    ),
  },
  {
    name: 'only addon/node knows Node',
    check: ({ path, text }) =>
      isNative(path) && !path.startsWith('addon/node/')
        ? found(/#include <(napi|node_api|uv|node)\.h>/, text)
        : undefined,
    bad: [{ path: 'addon/worker/a.cc', text: '#include <napi.h>' }],
  },
  {
    name: 'nothing is left for later',
    check: ({ text }) => found(bannedWords, text),
    bad: [`// ${'TO'}${'DO'}: later`, `${'FIX'}${'ME'}`, `${'X'.repeat(3)} odd`].map((text) => ({
      path: 'a.md',
      text,
    })),
  },
  {
    name: 'no path of one machine, no registry host',
    check: ({ text }) => found(bannedPlaces, text),
    bad: [`see /${'work'}/a`, `https://${'registry'}.npmjs.org/a`, `"${'resolved'}": "x"`].map((text) => ({
      path: 'package-lock.json',
      text,
    })),
  },
  {
    name: 'no default exports, except where a tool asks for one',
    check: ({ path, text }) =>
      isTypeScript(path) && !path.endsWith('.config.ts') ? found(/^export default\b/m, text) : undefined,
    bad: [{ path: 'src/model/a.ts', text: 'export default class A {}' }],
  },
  {
    name: 'a file says first what it is, in one to six lines (a table or diagram in it may make it twelve)',
    check: wrongHeader,
    bad: [
      { path: 'src/model/a.ts', text: 'export const a = 1;\n' },
      { path: 'addon/io/a.cc', text: '#include "io/b.h"\n' },
      { path: 'addon/io/a.h', text: '#pragma once\n' },
      { path: 'addon/bpf/a.bpf.c', text: `${'// long\n'.repeat(13)}int a;\n` },
      { path: 'scripts/a.sh', text: '#!/bin/sh\nset -e\n' },
    ],
  },
  {
    name: `no source file over ${maxLines} lines`,
    check: ({ path, text }) => {
      const lines = text.trimEnd().split('\n').length;
      return isSource(path) && lines > maxLines && !(path in longFiles) ? `${lines} lines` : undefined;
    },
    bad: [{ path: 'src/model/a.ts', text: 'a\n'.repeat(maxLines + 1) }],
  },
  {
    name: 'files are named kebab-case.ts and snake_case.cc',
    check: ({ path }) => {
      const name = basename(path);
      const isGood =
        (!isTypeScript(path) || /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config))?\.(ts|mjs)$/.test(name)) &&
        (!isNative(path) || /^[a-z0-9]+(_[a-z0-9]+)*(\.bpf)?\.(cc|h|c)$/.test(name));
      return isGood ? undefined : name;
    },
    bad: [
      'src/model/forwardingTable.ts',
      'src/model/forwarding_table.ts',
      'addon/io/af-packet.cc',
      'addon/io/AfPacket.h',
    ].map((path) => ({ path, text: '' })),
  },
  {
    name: 'tests stand in a known folder',
    check: ({ path }) => {
      const [top, folder, ...rest] = path.split('/');
      const isKnown =
        top !== 'test' ||
        (rest.length === 0 ? folder === 'tidy.test.ts' : testFolders.includes(folder ?? ''));
      return isKnown ? undefined : `not one of ${testFolders.join(', ')}`;
    },
    bad: [
      { path: 'test/misc/a.test.ts', text: '' },
      { path: 'test/a.test.ts', text: '' },
    ],
  },
  {
    name: 'npm pack ships no build folder',
    check: ({ path, text }) => {
      if (path !== 'package.json') return undefined;
      const { files }: { files?: string[] } = JSON.parse(text);
      if (files === undefined) return '`files` is missing: everything would be shipped';
      return files.find((entry) => /^(\.\/)?(build|node_modules|test|\*)/.test(entry));
    },
    bad: [
      { path: 'package.json', text: '{}' },
      { path: 'package.json', text: '{"files": ["dist", "build/addon"]}' },
    ],
  },
];

const files = trackedFiles();

describe.each(rules)('$name', ({ check, bad }) => {
  test('holds everywhere', () => {
    const findings = files.flatMap((file) => {
      const finding = check(file);
      return finding === undefined ? [] : [`${file.path}: ${finding}`];
    });
    expect(findings).toEqual([]);
  });

  test.each(bad)('catches $path: $text', (file) => {
    expect(check(file)).toBeDefined();
  });
});

test('exceptions name files that exist and need them', () => {
  for (const path of Object.keys(longFiles)) {
    expect(files.find((file) => file.path === path)?.text.split('\n').length, path).toBeGreaterThan(maxLines);
  }
});

test('no two folders may import each other', () => {
  for (const table of [includes, imports, rooms]) {
    for (const [folder, allowed] of Object.entries(table)) {
      for (const other of allowed) expect(table[other] ?? [], `${folder} <-> ${other}`).not.toContain(folder);
    }
  }
});

describe('files import each other in no circle, types included', () => {
  const source = files.filter(({ path }) => path.startsWith('src/') && isTypeScript(path));

  test('holds in src/', () => {
    expect(circleIn(source)).toBeUndefined();
  });

  test('catches a circle of three', () => {
    const imported = (name: string, other: string): SourceFile => ({
      path: `src/model/${name}.ts`,
      text: `import type { A } from './${other}.js';`,
    });
    expect(circleIn([imported('a', 'b'), imported('b', 'c'), imported('c', 'a')])).toHaveLength(4);
  });
});

/** The paths along one circle, its first again at the end; undefined when there is none. */
function circleIn(source: readonly SourceFile[]): readonly string[] | undefined {
  const texts = new Map(source.map(({ path, text }) => [path, text]));
  const done = new Set<string>();
  const follow = (path: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const target of importsOf(path, texts.get(path) ?? '')) {
      const circle = follow(target.replace(/\.js$/, '.ts'), [...trail, path]);
      if (circle !== undefined) return circle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of texts.keys()) {
    const circle = follow(path, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

/** What a file imports, as written, with relative paths from the root. */
function importsOf(path: string, text: string): readonly string[] {
  const specifier = /(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)'([^']+)'/gm;
  return Array.from(codeOf(text).matchAll(specifier), ([, target = '']) =>
    target.startsWith('.') ? normalize(join(dirname(path), target)) : target,
  );
}

function wrongInclude({ path, text }: SourceFile): string | undefined {
  if (!path.startsWith('addon/') || !isNative(path)) return undefined;
  const folder = nativeFolder(path.slice('addon/'.length));
  const allowed = includes[folder];
  if (allowed === undefined) return `addon/${folder} is not in the table`;
  for (const [, target = ''] of text.matchAll(/^\s*#\s*include "([^"]+)"/gm)) {
    if (!target.includes('/')) return `"${target}" is not named from addon/ on`;
    const other = nativeFolder(target);
    if (other !== folder && !allowed.includes(other)) return `addon/${folder} may not include "${target}"`;
  }
  return undefined;
}

/** `core/net/parse.h` -> `core/net`, `io/status.h` -> `io`. */
function nativeFolder(path: string): string {
  const parts = dirname(path).split('/');
  return parts.slice(0, parts[0] === 'core' ? 2 : 1).join('/');
}

function wrongImport({ path, text }: SourceFile): string | undefined {
  if (!path.startsWith('src/') || !isTypeScript(path)) return undefined;
  const folder = layerOf(path);
  const allowed = imports[folder];
  if (allowed === undefined) return `src/${folder} is not in the table`;
  for (const target of importsOf(path, text)) {
    const other = layerOf(target);
    const isAllowed =
      other === folder || allowed.includes(other) || (other.startsWith('node:') && allowed.includes('node:'));
    if (!isAllowed) return `src/${folder} may not import '${target}'`;
  }
  return undefined;
}

function wrongRoom({ path, text }: SourceFile): string | undefined {
  const room = roomOf(path);
  if (room === undefined) return undefined;
  const allowed = rooms[room];
  if (allowed === undefined) return `src/runtime/${room} is not in the table`;
  for (const target of importsOf(path, text)) {
    const other = roomOf(target);
    if (other !== undefined && other !== room && !allowed.includes(other))
      return `src/runtime/${room} may not import '${target}'`;
  }
  return undefined;
}

/** `src/runtime/scripts/a.ts` -> `scripts`; undefined for what lies in none. */
function roomOf(path: string): string | undefined {
  const [top, layer, room, file] = path.split('/');
  return top === 'src' && layer === 'runtime' && file !== undefined ? room : undefined;
}

/** `src/model/units.ts` -> `model`, `src/errors.js` -> `errors`, `test/support/a.js` -> `test/support/a.js`. */
function layerOf(path: string): string {
  const [top, layer = '', ...rest] = path.split('/');
  if (top !== 'src') return path;
  return rest.length === 0 ? layer.replace(/\.(ts|js)$/, '') : layer;
}

function wrongHeader({ path, text }: SourceFile): string | undefined {
  if (!isSource(path)) return undefined;
  const lines = text.split('\n');
  if (lines[0]?.startsWith('#!')) lines.shift();
  // The implementation of a header is introduced by the header: it begins with its #include.
  const own = path.replace(/^addon\//, '').replace(/\.cc$/, '.h');
  if (path.endsWith('.cc') && lines[0] === `#include "${own}"`) return undefined;
  const end = lines.findIndex((line) => !/^(\/\/|\/\*| \*|#( |$))/.test(line));
  const count = end === -1 ? lines.length : end;
  return count >= 1 && count <= 12 ? undefined : `${count} lines of comment at its beginning`;
}

/** Without comments: what is said about a call is not a call. */
function codeOf(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|[^:'"`])\/\/.*$/gm, '$1');
}

/** The first match with its line number. */
function found(pattern: RegExp, text: string): string | undefined {
  const match = pattern.exec(text);
  return match === null
    ? undefined
    : `'${match[0].trim()}' (${text.slice(0, match.index).split('\n').length})`;
}

function trackedFiles(): readonly SourceFile[] {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const listing = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return [...new Set(listing.split('\0'))]
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}
