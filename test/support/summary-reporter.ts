// vitest reporter behind `npm test`: one line a level with its time, failures in full, everything else silent.
// Writes counts and skips with their reasons to the file named by UVS_SUMMARY_FILE, for scripts/test.mjs.
// Lines of tests that start with one of `passedThrough` are shown as they come.
import { writeFileSync } from 'node:fs';
import type { SerializedError } from 'vitest';
import type { Reporter, TestCase, TestModule, TestSpecification, TestSuite } from 'vitest/node';

/** Read by scripts/test.mjs. */
export type Summary = { passed: number; failed: number; skips: Skip[] };
/** `reason` is missing where the test gave none. */
export type Skip = { level: string; test: string; reason?: string };

type UserConsoleLog = Parameters<NonNullable<Reporter['onUserConsoleLog']>>[0];
type Level = { open: number; startedAt: number; passed: number; failed: number; skipped: number };

const passedThrough = /^(golden|fuzz|sim|lab|bench):/;
/** Lines of a failed test's own output that are shown. */
const shownLogLines = 40;
/** Failures of one level that are shown with their errors; the others by name alone. */
const shownFailures = 10;

export class SummaryReporter implements Reporter {
  readonly #levels = new Map<string, Level>();
  readonly #logs = new Map<string, string[]>();
  readonly #summary: Summary = { passed: 0, failed: 0, skips: [] };

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    for (const { project } of specifications) {
      const level = this.#levels.get(project.name);
      if (level) level.open += 1;
      else this.#levels.set(project.name, { open: 1, startedAt: 0, passed: 0, failed: 0, skipped: 0 });
    }
  }

  onTestModuleStart(module: TestModule): void {
    const level = this.#levels.get(module.project.name);
    if (level && level.startedAt === 0) level.startedAt = performance.now();
  }

  onUserConsoleLog(log: UserConsoleLog): void {
    for (const line of log.content.trimEnd().split('\n')) {
      if (passedThrough.test(line)) console.log(`      ${line}`);
      const lines = this.#logs.get(log.taskId ?? '') ?? [];
      lines.push(line);
      this.#logs.set(log.taskId ?? '', lines.slice(-shownLogLines));
    }
  }

  onTestModuleEnd(module: TestModule): void {
    const level = this.#levels.get(module.project.name);
    if (!level) return;
    this.#failedGroup(module, level);
    for (const suite of module.children.allSuites()) this.#failedGroup(suite, level);
    for (const test of module.children.allTests()) this.#count(test, level);
    level.open -= 1;
    if (level.open > 0) return;
    const { passed, failed, skipped, startedAt } = level;
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    const counts = `${passed} passed, ${failed} failed, ${skipped} skipped`;
    const verdict = failed > 0 ? 'FAIL  ' : 'ok    ';
    console.log(`${verdict}test/${module.project.name}: ${counts} (${seconds} s)`);
  }

  onTestRunEnd(_modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    for (const error of unhandled) {
      this.#summary.failed += 1;
      showError('outside of any test', error);
    }
    const file = process.env.UVS_SUMMARY_FILE;
    if (file !== undefined) writeFileSync(file, JSON.stringify(this.#summary));
  }

  #count(test: TestCase, level: Level): void {
    const result = test.result();
    switch (result.state) {
      case 'passed':
        level.passed += 1;
        this.#summary.passed += 1;
        return;
      case 'failed':
        this.#fail(level, nameOf(test), result.errors, test.id);
        return;
      case 'skipped':
      case 'pending': {
        level.skipped += 1;
        const reason =
          result.state === 'skipped' && result.note !== undefined
            ? result.note
            : hasFailedGroup(test)
              ? 'the set-up of its group failed'
              : undefined;
        const skip = { level: test.project.name, test: nameOf(test) };
        this.#summary.skips.push(reason === undefined ? skip : { ...skip, reason });
        return;
      }
      default:
        result satisfies never;
    }
  }

  /** A file that does not load and a hook that throws are failures, though no test of theirs ran. */
  #failedGroup(group: TestModule | TestSuite, level: Level): void {
    const errors = group.errors();
    if (errors.length > 0) this.#fail(level, nameOf(group), errors, group.id);
  }

  #fail(level: Level, name: string, errors: readonly SerializedError[], id: string): void {
    level.failed += 1;
    this.#summary.failed += 1;
    if (level.failed > shownFailures) {
      console.log(`FAIL  ${name}`);
      return;
    }
    for (const error of errors) showError(name, error);
    for (const line of this.#logs.get(id) ?? []) console.log(`      | ${line}`);
  }
}

function nameOf(entity: TestCase | TestSuite | TestModule): string {
  return entity.type === 'module'
    ? entity.relativeModuleId
    : `${entity.module.relativeModuleId} > ${entity.fullName}`;
}

function hasFailedGroup(test: TestCase): boolean {
  for (let group = test.parent; ; group = group.parent) {
    if (group.errors().length > 0) return true;
    if (group.type === 'module') return false;
  }
}

function showError(name: string, error: SerializedError): void {
  console.log(`FAIL  ${name}`);
  const place = error.stacks?.[0];
  console.log(`      ${error.name ?? 'Error'}: ${error.message}`.replaceAll('\n', '\n      '));
  if (typeof error.diff === 'string') console.log(`      ${error.diff.replaceAll('\n', '\n      ')}`);
  if (place) console.log(`      at ${place.file}:${place.line}:${place.column}`);
}
