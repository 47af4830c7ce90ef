// Branded units. Time is integer microseconds, passed in; a plain number never stands for a time.

declare const unit: unique symbol;

/** Integer microseconds: a duration, or a point on the monotonic clock that runtime hands in. */
export type Micros = number & { readonly [unit]: 'micros' };

/** `value` microseconds, rounded to an integer. */
export function micros(value: number): Micros {
  return Math.round(value) as Micros;
}

/** `value` seconds as microseconds; resolution 1 µs, as keepalived's TIMER. */
export function seconds(value: number): Micros {
  return micros(value * 1_000_000);
}

export function addMicros(a: Micros, b: Micros): Micros {
  return (a + b) as Micros;
}

const units = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
] as const;

/** `2 d 3 h`, `5 min`, `0 s`: the two largest units of whole seconds. */
export function durationText(duration: number): string {
  const total_s = Math.floor(duration / 1_000_000);
  const at = units.findIndex(([size]) => total_s >= size);
  if (at < 0) return '0 s';
  let rest = total_s;
  const parts: string[] = [];
  for (const [size, name] of units.slice(at, at + 2)) {
    const count = Math.floor(rest / size);
    rest %= size;
    if (count > 0) parts.push(`${count} ${name}`);
  }
  return parts.join(' ');
}

/** Microseconds as `0.625 s`. */
export function secondsText(duration: number): string {
  return `${(duration / 1_000_000).toFixed(3)} s`;
}

/** `1 server`, `2 servers`. */
export function counted(count: number, noun: string, plural = 's'): string {
  return `${count} ${noun}${count === 1 ? '' : plural}`;
}
