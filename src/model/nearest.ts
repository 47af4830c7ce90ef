// "Did you mean": the nearest known word, by edits (a swap of neighbours counts once) or by a common beginning.

/** The candidate that `word` most likely stands for, or undefined when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > longestWord) return undefined;
  const wanted = word.toLowerCase();
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = Math.min(
      editDistance(wanted, candidate.toLowerCase()),
      prefixDistance(wanted, candidate),
    );
    const isNear = distance <= Math.max(1, Math.floor(Math.min(word.length, candidate.length) / 3));
    if (isNear && (best === undefined || distance < best.distance)) best = { candidate, distance };
  }
  return best?.candidate;
}

const longestWord = 64;
const shortestPrefix = 5;

/** `lb_algorithm` for `lb_algo`: one begins the other. */
function prefixDistance(word: string, candidate: string): number {
  const [short, long] = word.length < candidate.length ? [word, candidate] : [candidate, word];
  return short.length >= shortestPrefix && long.startsWith(short) ? 2 : Number.POSITIVE_INFINITY;
}

/** Insertions, deletions, replacements and swaps of neighbours between two short words. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(replaced, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
