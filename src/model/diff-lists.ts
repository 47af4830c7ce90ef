// Lists of things with keys, before and after: what was added, removed, kept and moved, whether two values say the same,
// and in which fields they differ. What both halves of diff.ts are made of.

export type Comparison<T> = {
  readonly removed: readonly T[];
  readonly added: readonly T[];
  readonly kept: readonly (readonly [T, T])[];
  /** Keys after the removals and with the additions at the end, and as they shall be. */
  readonly order: readonly string[];
  readonly wanted: readonly string[];
};

/** Of two lists with unique keys. */
export function compare<T>(
  before: readonly T[],
  after: readonly T[],
  keyOf: (item: T) => string,
): Comparison<T> {
  return finish(compareSteps(before, after, keyOf));
}

/** The same in steps, for lists of thousands. */
export function* compareSteps<T>(
  before: readonly T[],
  after: readonly T[],
  keyOf: (item: T) => string,
): Generator<void, Comparison<T>> {
  const old = new Map<string, T>();
  const next = new Map<string, T>();
  for (const [list, found] of [
    [before, old],
    [after, next],
  ] as const) {
    for (const [i, item] of list.entries()) {
      found.set(keyOf(item), item);
      if (isStepEnd(i)) yield;
    }
  }
  const removed: T[] = [];
  const added: T[] = [];
  const kept: (readonly [T, T])[] = [];
  const order: string[] = [];
  for (const [key, item] of old) {
    const counterpart = next.get(key);
    if (counterpart === undefined) removed.push(item);
    else {
      kept.push([item, counterpart]);
      order.push(key);
    }
  }
  yield;
  for (const [key, item] of next) {
    if (old.has(key)) continue;
    added.push(item);
    order.push(key);
  }
  return { removed, added, kept, order, wanted: [...next.keys()] };
}

/** Whether a step of a long list ends behind the item with this number. */
export function isStepEnd(index: number): boolean {
  return index % itemsPerStep === itemsPerStep - 1;
}

/** Some hundreds of microseconds. */
const itemsPerStep = 250;

/** What steps lead to, at once. */
export function finish<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The order that an ordering still has to bring about; undefined when additions and removals do. */
export function orderAfter<T>(lists: Comparison<T>): readonly string[] | undefined {
  return isSame(lists.order, lists.wanted) ? undefined : lists.wanted;
}

/** The list without the item of that key. */
export function without<T>(list: readonly T[], keyOf: (item: T) => string, key: string): T[] {
  return list.filter((item) => keyOf(item) !== key);
}

/** The list in the order of the keys; others keep their places at the end. */
export function ordered<T>(list: readonly T[], keyOf: (item: T) => string, order: readonly string[]): T[] {
  const ranks = new Map(order.map((key, rank) => [key, rank]));
  const rankOf = (item: T) => ranks.get(keyOf(item)) ?? Number.POSITIVE_INFINITY;
  return list.toSorted((a, b) => (rankOf(a) === rankOf(b) ? 0 : rankOf(a) - rankOf(b)));
}

/** Equal values, wherever they were written. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [one, two]: [Fields, Fields] = [a as Fields, b as Fields];
  for (const name in one) if (name !== 'origin' && !isSame(one[name], two[name])) return false;
  for (const name in two) if (name !== 'origin' && !(name in one) && two[name] !== undefined) return false;
  return true;
}

type Fields = Readonly<Record<string, unknown>>;

/** `weight 1 → 3, checkers changed`. */
export function fieldsText(before: object, after: object): string {
  const old = new Map(Object.entries(before));
  const next = new Map(Object.entries(after));
  return [...new Set([...old.keys(), ...next.keys()])]
    .filter((name) => name !== 'origin' && !isSame(old.get(name), next.get(name)))
    .map((name) => fieldText(name, old.get(name), next.get(name)))
    .join(', ');
}

function fieldText(name: string, before: unknown, after: unknown): string {
  const [old, next] = [valueText(before), valueText(after)];
  const words = wordsOf(name);
  return old === undefined || next === undefined ? `${words} changed` : `${words} ${old} → ${next}`;
}

/** `script user` of scriptUser, `announce refresh` of announce.refresh. */
function wordsOf(name: string): string {
  return name.replace('.', ' ').replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function valueText(value: unknown): string | undefined {
  if (value === undefined) return 'none';
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) {
    const hasBlanks = value.some((item) => /\s/.test(String(item)));
    return `[${value.join(hasBlanks ? ', ' : ' ')}]`;
  }
  return typeof value === 'object' ? undefined : String(value);
}
