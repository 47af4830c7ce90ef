// What a test needs of the machine, said at the test: `requires('root', 'bpf', 'pkg:nginx')`.
// Where something is lacking, the whole group becomes one skip whose note names it; `npm test` fails on such a skip
// unless UVS_ALLOW_SKIP=1. May not install or change anything.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'vitest';

/** `pkg:NAME`: the program of that name; `addon`, `launcher`: built native parts; `bpf`: programs can be loaded. */
export type Need = 'root' | 'bpf' | 'addon' | 'launcher' | `pkg:${string}`;

export type Required = {
  /** Undefined when nothing is lacking. */
  readonly lack: string | undefined;
  readonly describe: (name: string, body: () => void) => void;
  readonly test: (name: string, body: () => void | Promise<void>, timeout_ms?: number) => void;
};

/** A `describe` and a `test` that run where every need is met and are skipped with the reason where not. */
export function requires(...needs: readonly Need[]): Required {
  const lack = lacking(needs);
  if (lack === undefined) return { lack, describe, test };
  const skipped = (name: string) => test(name, (context) => context.skip(lack));
  return { lack, describe: (name) => skipped(`${name} (whole group)`), test: skipped };
}

/** One sentence that names everything lacking, undefined when all needs are met. */
export function lacking(needs: readonly Need[]): string | undefined {
  const missing = needs.map(lackOf).filter((lack) => lack !== undefined);
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')}`;
}

function lackOf(need: Need): string | undefined {
  switch (need) {
    case 'root':
      return process.geteuid?.() === 0 && has(capability.netAdmin) && has(capability.sysAdmin)
        ? undefined
        : 'root with CAP_NET_ADMIN and CAP_SYS_ADMIN';
    case 'bpf':
      return canUseBpf() ? undefined : 'the bpf system call (CAP_BPF, and a kernel that has it)';
    case 'addon':
      return existsSync(addonPath) ? undefined : 'the native addon (npm run build:native)';
    case 'launcher':
      return existsSync(launcherPath) ? undefined : 'the launcher of scripts (npm run build:native)';
    default: {
      const program = need.slice('pkg:'.length);
      return hasProgram(program) ? undefined : `the program ${program} (scripts/setup.sh)`;
    }
  }
}

/** Bit numbers of linux/capability.h. */
const capability = { netAdmin: 12, sysAdmin: 21, bpf: 39 } as const;
const addonPath = fileURLToPath(new URL('../../build/addon/Release/uvs.node', import.meta.url));
const launcherPath = fileURLToPath(new URL('../../build/addon/Release/uvs-launcher', import.meta.url));
/** Packages whose programs are not on anybody's PATH. */
const programPaths: Readonly<Record<string, string>> = { frr: '/usr/lib/frr/zebra' };

function has(bit: number): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> BigInt(bit)) & 1n) === 1n;
}

function canUseBpf(): boolean {
  if (!has(capability.bpf) && !has(capability.sysAdmin)) return false;
  // A sandboxed kernel can grant the capability and still lack the system call.
  return spawnSync('bpftool', ['prog', 'show'], { stdio: 'ignore', env: { PATH: searchPath } }).status === 0;
}

/** Daemons live in sbin, which a plain user's PATH leaves out. */
const searchPath = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;

function hasProgram(name: string): boolean {
  const known = programPaths[name];
  if (known !== undefined) return existsSync(known);
  return searchPath.split(':').some((folder) => {
    try {
      accessSync(`${folder}/${name}`, constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}
