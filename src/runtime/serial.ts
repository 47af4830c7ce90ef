// One job after another: what must not overlap (two reloads, two rounds of address changes) goes through one of these.

export type Serial = <T>(job: () => Promise<T>) => Promise<T>;

/** Runs each job when all earlier ones have ended, well or badly. */
export function createSerial(): Serial {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(job: () => Promise<T>) => {
    const result = last.then(job, job);
    last = result.catch(() => {});
    return result;
  };
}
