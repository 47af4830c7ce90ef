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
