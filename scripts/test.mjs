// What `npm test` runs after set-up: every check and test, one line a part, one summary at the end.
// `node scripts/test.mjs asan vitest` runs only those parts. Exit code 0 only when nothing failed and nothing was
// skipped; UVS_ALLOW_SKIP=1 forgives skips that have a reason and lists them.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { env, exit } from 'node:process';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** Seconds for everything under test/fuzz, native and TypeScript. */
const fuzzBudget_s = Number(env.UVS_FUZZ_SECONDS ?? 60);
/** The canary has a planted bug that takes moments to find. */
const canaryLimit_s = 30;
/** Lines of a failed command that are shown. */
const shownLines = 60;
const fuzzFolder = 'test/fuzz/core';
/** Lines of `ctest --verbose` begin with the number of the executable that printed them. */
const doctestLine =
  /^(\d+): .*?\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped/gm;
/** Printed by UVS_REQUIRES of test/support/require.h. */
const skipLine = /^(\d+): .*?uvs-skip: (\S+:\d+): (needs .*)/gm;
const clang = ['-DCMAKE_C_COMPILER=clang', '-DCMAKE_CXX_COMPILER=clang++'];

/** Sanitizers of today's compilers lose against the address randomisation of newer kernels. */
const fixedAddresses = spawnSync('setarch', ['-R', 'true']).status === 0 ? ['setarch', '-R'] : [];

// A part returns {passed, failed, skips: [{test, reason?, forgiven?}], note?}; it throws Failed when it can't count.
const parts = {
  biome: () => must('npx', ['biome', 'check', '--colors=off']),
  tsc: () => must('npx', ['tsc', '--noEmit', '--pretty', 'false']),
  core: () => ctest('build/core', []),
  asan: () => ctest('build/asan', ['-DUVS_SANITIZE=address,undefined']),
  tsan: () => ctest('build/tsan', ['-DUVS_SANITIZE=thread', '-DUVS_IO=OFF']),
  fuzz,
  vitest,
};

/** Run when they are asked for: `asan` runs the same tests as `core`, and `tsan` is `npm run threads`. */
const onDemand = ['core', 'tsan'];

class Failed extends Error {}

const asked = process.argv.slice(2);
for (const name of asked) {
  if (name in parts) continue;
  console.error(`no part ${name}; parts: ${Object.keys(parts).join(' ')}`);
  exit(2);
}

const total = { passed: 0, failed: 0, skips: [] };
const startedAt = performance.now();
for (const [name, run] of Object.entries(parts)) {
  if (asked.length > 0 ? !asked.includes(name) : onDemand.includes(name)) continue;
  const partStartedAt = performance.now();
  let result;
  try {
    result = { ...nothing(), ...(await run()) };
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    console.log(error.message);
    result = { ...nothing(), failed: 1 };
  }
  total.passed += result.passed;
  total.failed += result.failed;
  total.skips.push(...result.skips);
  const { passed, failed, skips } = result;
  const counts = passed + failed + skips.length === 0 ? '' : `: ${countsOf(passed, failed, skips.length)}`;
  const note = result.note === undefined ? '' : `, ${result.note}`;
  const verdict = failed > 0 ? 'FAIL  ' : 'ok    ';
  console.log(`${verdict}${name}${counts}${note} (${since(partStartedAt)} s)`);
}

const forbidden = total.skips.filter(
  (skip) => !skip.forgiven && (skip.reason === undefined || env.UVS_ALLOW_SKIP !== '1'),
);
console.log(`\nsummary after ${since(startedAt)} s`);
for (const { test, reason, forgiven } of total.skips) {
  if (!forgiven) console.log(`skipped: ${test}: ${reason ?? 'no reason given'}`);
}
if (forbidden.length > 0) {
  console.log(
    `${forbidden.length} of these skips fail the run (UVS_ALLOW_SKIP=1 forgives those with a reason)`,
  );
}
console.log(countsOf(total.passed, total.failed, total.skips.length));
exit(total.failed > 0 || forbidden.length > 0 ? 1 : 0);

/** Configures, builds and runs the native tests in `folder`; counts doctest cases. */
async function ctest(folder, options) {
  await build(folder, options);
  const run = await capture(
    ...command(fixedAddresses, ['ctest', '--test-dir', folder, '--verbose', '--timeout', '300']),
  );
  const result = nothing();
  const counted = new Set();
  for (const [, executable, passed, failed, skipped] of run.output.matchAll(doctestLine)) {
    counted.add(executable);
    result.passed += Number(passed);
    result.failed += Number(failed);
    // Cases marked doctest::skip() carry no reason.
    for (let i = 0; i < Number(skipped); i++) result.skips.push({ test: `${folder} doctest::skip()` });
  }
  for (const [, executable, test, reason] of run.output.matchAll(skipLine)) {
    // doctest took the case for passed, unless the executable crashed before it counted.
    if (counted.has(executable)) result.passed -= 1;
    result.skips.push({ test: `${folder} ${test}`, reason });
  }
  if (run.code !== 0) {
    // An executable that crashed or ran out of time printed no counts.
    result.failed = Math.max(result.failed, 1);
    console.log(tail(withoutNoise(run.output)));
  }
  return result;
}

/** Every libFuzzer target: its kept inputs once, then its share of the budget; the canary has to fail. */
async function fuzz() {
  const targets = nativeTargets();
  if (targets.length === 0) return { note: 'no native targets' };
  await build('build/fuzz', ['-DUVS_FUZZ=ON', '-DUVS_IO=OFF', ...clang]);
  const result = nothing();
  let executions = 0;
  for (const target of targets.filter((name) => name !== 'canary')) {
    const run = await fuzzTarget(target, fuzzShare_s());
    executions += run.executions;
    console.log(`      fuzz: ${target}: ${run.executions} executions, ${run.replayed} kept inputs`);
    result[run.failed ? 'failed' : 'passed'] += 1;
    if (run.failed) {
      console.log(tail(run.output));
      console.log(
        `      keep the input named above in ${fuzzFolder}/corpus/${target}/ once the bug is mended`,
      );
    }
  }
  if (!targets.includes('canary'))
    throw new Failed(`${fuzzFolder}/canary.cc is missing: nothing shows that fuzzing finds bugs`);
  const canary = await fuzzTarget('canary', canaryLimit_s);
  result[canary.failed ? 'passed' : 'failed'] += 1;
  console.log(
    `      fuzz: canary: its planted bug was ${canary.failed ? '' : 'NOT '}found in ${canary.executions} executions`,
  );
  return { ...result, note: `${executions} executions` };
}

async function fuzzTarget(target, limit_s) {
  const kept = join(fuzzFolder, 'corpus', target);
  const inputs = existsSync(kept) ? readdirSync(kept).map((name) => join(kept, name)) : [];
  const executable = `build/fuzz/fuzz_${target}`;
  const artifacts = `-artifact_prefix=build/fuzz/crash-${target}-`;
  if (inputs.length > 0) {
    const replay = await capture(...command(fixedAddresses, [executable, artifacts, ...inputs]));
    if (replay.code !== 0)
      return { failed: true, executions: 0, replayed: inputs.length, output: replay.output };
  }
  // New inputs stay in the build folder, so that the next run goes on where this one stopped.
  const found = `build/fuzz/corpus/${target}`;
  if (target === 'canary') rmSync(found, { recursive: true, force: true });
  mkdirSync(found, { recursive: true });
  const options = [
    `-max_total_time=${limit_s}`,
    '-timeout=5',
    '-rss_limit_mb=1024',
    '-print_final_stats=1',
    artifacts,
  ];
  const folders = inputs.length > 0 ? [found, kept] : [found];
  const run = await capture(...command(fixedAddresses, [executable, ...options, ...folders]));
  const executions = Number(/number_of_executed_units:\s*(\d+)/.exec(run.output)?.[1] ?? 0);
  // A target that does not start at all has found nothing.
  const failed =
    run.code !== 0 &&
    (target !== 'canary' || /ERROR: (libFuzzer|AddressSanitizer)|runtime error/.test(run.output));
  return { failed, executions, replayed: inputs.length, output: run.output };
}

/** Its reporter prints a line for each level as it ends. */
async function vitest() {
  const file = 'build/vitest-summary.json';
  mkdirSync('build', { recursive: true });
  rmSync(file, { force: true });
  const child = spawn('npx', ['vitest', 'run', '--allowOnly=false'], {
    stdio: 'inherit',
    env: { ...env, NO_COLOR: '1', UVS_SUMMARY_FILE: file, UVS_FUZZ_TARGET_SECONDS: String(fuzzShare_s()) },
  });
  const code = await exitOf(child);
  if (!existsSync(file)) throw new Failed('vitest ended without its summary');
  const { passed, failed, skips } = JSON.parse(readFileSync(file, 'utf8'));
  return {
    passed,
    failed: code === 0 ? failed : Math.max(failed, 1),
    // Golden scenarios wait for their features: the golden line says which, and they are no failure.
    skips: skips.map((skip) => ({
      ...skip,
      forgiven: skip.level === 'golden' && /^(?!needs )/.test(skip.reason ?? 'needs a reason'),
    })),
  };
}

async function build(folder, options) {
  await must('cmake', ['-S', '.', '-B', folder, '-G', 'Ninja', ...options]);
  await must('cmake', ['--build', folder]);
}

function fuzzShare_s() {
  const targets =
    nativeTargets().filter((name) => name !== 'canary').length + filesIn('test/fuzz', '.test.ts').length;
  return Math.max(1, Math.floor(fuzzBudget_s / Math.max(1, targets)));
}

function nativeTargets() {
  return filesIn(fuzzFolder, '.cc').map((file) => basename(file, '.cc'));
}

function filesIn(folder, ending) {
  return existsSync(folder)
    ? readdirSync(folder, { recursive: true })
        .filter((name) => name.endsWith(ending))
        .sort()
    : [];
}

async function must(program, args) {
  const { code, output } = await capture(program, args);
  if (code !== 0) throw new Failed(tail(output));
  return nothing();
}

/** Standard output and error in one text, with the exit code (1 after a signal). */
async function capture(program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => chunks.push(chunk));
  const code = await exitOf(child);
  return { code, output: Buffer.concat(chunks).toString() };
}

function exitOf(child) {
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Failed(error.message)));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** `prefix args…` as a program and its arguments. */
function command(prefix, args) {
  const [program, ...rest] = [...prefix, ...args];
  return [program, rest];
}

function nothing() {
  return { passed: 0, failed: 0, skips: [] };
}

function countsOf(passed, failed, skipped) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function since(moment) {
  return ((performance.now() - moment) / 1000).toFixed(1);
}

function tail(text) {
  const lines = text.trimEnd().split('\n').slice(-shownLines);
  return lines.map((line) => `      ${line}`).join('\n');
}

/** ctest repeats its command lines and environment for every test. */
function withoutNoise(output) {
  return output
    .split('\n')
    .filter(
      (line) =>
        /^\d+: |Failed|Passed|\*\*\*/.test(line) &&
        !/^\d+: (Test command|Working Directory|Test timeout)/.test(line),
    )
    .join('\n');
}
