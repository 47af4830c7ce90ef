// `npm run kernels`: boots the oldest kernel that is supported and the newest that this machine's package sources have,
// in software emulation and over this machine's files, and runs scripts/kernels/checks.ts in each. One line a kernel.
// Downloads images into build/kernels and installs nothing. Exit code 0 when every kernel that could be had is well, 3
// when none could be had (the line says why).

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('..', import.meta.url));
const folder = join(repository, 'build/kernels');
const oldest = [6, 1];
/** A boot takes seconds, the checks some minutes; beside other work several times that. */
const limit_s = 1200;
const programs = ['qemu-system-x86_64', 'busybox', 'depmod', 'apt-get', 'apt-cache', 'dpkg-deb'];

type Image = { readonly name: string; readonly version: readonly number[] };

const lack = missing();
const images = lack === undefined ? choose() : [];
if (images.length === 0) {
  console.log(`skipped: kernels: ${lack ?? 'needs a kernel package of Debian, amd64, 6.1 or later'}`);
  process.exitCode = 3;
}
// At once: a guest uses one CPU, and its clock does not mind.
const checks = images.map(async (image) => {
  const startedAt = performance.now();
  const { isWell, report } = await check(image);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${isWell ? 'ok    ' : 'FAIL  '}kernel ${image.name} (${seconds} s)`);
  if (!isWell || process.argv.includes('--verbose')) console.log(report);
  if (!isWell) process.exitCode = 1;
});
await Promise.all(checks);

function missing(): string | undefined {
  if (process.arch !== 'x64') return 'needs an x86-64 machine';
  const absent = programs.filter((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0);
  return absent.length === 0 ? undefined : `needs ${absent.join(', ')}`;
}

/** The oldest supported kernel and the newest, once when they are the same. */
function choose(): readonly Image[] {
  const names = output('apt-cache', ['pkgnames', 'linux-image-'])
    .split('\n')
    .filter((name) => /^linux-image-\d[\d.]*[^-]*(-\d+)?-amd64$/.test(name));
  const known = names
    .map((name) => ({ name, version: numbersOf(name) }))
    .filter(({ version }) => compare(version, oldest) >= 0)
    // Names without a patch level only depend on the newest of their series.
    .filter(({ version }) => version.length > 2)
    .sort((a, b) => compare(a.version, b.version));
  const series = known.filter(({ version }) => compare(version.slice(0, 2), oldest) === 0);
  const chosen = [series.at(-1), known.at(-1)].filter((image) => image !== undefined);
  if (series.length === 0) console.log("note: this machine's package sources have no Linux 6.1");
  return [...new Set(chosen)];
}

async function check({ name }: Image): Promise<{ isWell: boolean; report: string }> {
  const home = join(folder, name);
  mkdirSync(folder, { recursive: true });
  const made = spawnSync('bash', [join(repository, 'scripts/kernels/image.sh'), name, home], {
    encoding: 'utf8',
  });
  if (made.status !== 0) return { isWell: false, report: made.stdout + made.stderr };
  const [console_, results] = [join(home, 'console.log'), join(home, 'results.log')];
  for (const file of [console_, results]) rmSync(file, { force: true });
  const kernelWords = [
    ...['console=ttyS0', 'quiet', 'loglevel=4', 'mitigations=off', 'panic=-1', 'net.ifnames=0'],
    ...['tsc=reliable', 'clocksource=tsc', 'no_timer_check', 'rcupdate.rcu_expedited=1'],
    `uvs.repository=${repository.replace(/\/$/, '')}`,
    `uvs.modules=${join(home, 'modules')}`,
    `uvs.path=${process.env.PATH}`,
  ];
  const guest = spawn(
    'qemu-system-x86_64',
    [
      // The guest's clock counts its instructions, so that neither emulation nor other work on this machine makes it slow.
      ...[
        '-accel',
        'tcg',
        '-icount',
        'shift=0,sleep=off',
        '-cpu',
        'max',
        '-smp',
        '1',
        '-m',
        '1536',
        '-M',
        'pc',
      ],
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ...['-kernel', join(home, 'vmlinuz'), '-initrd', join(home, 'initrd.gz')],
      ...['-append', kernelWords.join(' ')],
      ...['-serial', `file:${console_}`, '-serial', `file:${results}`],
      ...['-fsdev', 'local,id=host,path=/,security_model=none,readonly=on,multidevs=remap'],
      ...['-device', 'virtio-9p-pci,fsdev=host,mount_tag=host'],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const killer = setTimeout(() => guest.kill('SIGKILL'), limit_s * 1000);
  await new Promise((resolve) => guest.on('close', resolve));
  clearTimeout(killer);
  const report = textOf(results);
  return { isWell: /^exit 0\r?$/m.test(report), report: report === '' ? textOf(console_) : report };
}

function textOf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function output(program: string, args: readonly string[]): string {
  return spawnSync(program, args, { encoding: 'utf8' }).stdout ?? '';
}

function numbersOf(name: string): readonly number[] {
  return (name.match(/\d+/g) ?? [])
    .map(Number)
    .filter((_, index, all) => index < all.length - 1 || all.length < 3);
}

function compare(a: readonly number[], b: readonly number[]): number {
  const differing = a.findIndex((number, index) => number !== (b[index] ?? 0));
  return differing === -1 ? 0 : (a[differing] ?? 0) - (b[differing] ?? 0);
}
