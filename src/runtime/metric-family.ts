// A family of Prometheus samples and how its parts are written.

/** Labels as they stand between the braces, and the value. */
export type Sample = readonly [labels: string, value: number | bigint];
export type Family = {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly samples: Iterable<Sample>;
};

export function gauge(name: string, help: string, samples: Iterable<Sample>): Family {
  return { name, type: 'gauge', help, samples };
}

export function counter(name: string, help: string, samples: Iterable<Sample>): Family {
  return { name, type: 'counter', help, samples };
}

export function label(name: string, value: string): string {
  const escaped = value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
  return `${name}="${escaped}"`;
}

export function bit(value: boolean): 0 | 1 {
  return value ? 1 : 0;
}
