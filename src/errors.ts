// Every error that uvs throws on purpose, with a code that callers can switch on. Expected failures are values, not these.

export type ErrorCode =
  | 'CONFIG_INVALID'
  | 'CONFIG_UNREADABLE'
  | 'NOT_RUNNING'
  | 'ALREADY_RUNNING'
  | 'NO_DIRECTOR'
  | 'PRIVILEGE_MISSING'
  | 'KERNEL_UNSUPPORTED'
  | 'DEVICE_MISSING'
  | 'DEVICE_UNSUPPORTED'
  | 'LIMIT_REACHED'
  | 'INVALID_CHANGE'
  | 'NATIVE_MISSING'
  | 'NOT_FOUND'
  | 'NOT_MASTER'
  | 'IO';

/** `message` says what is wrong and how to mend it; `cause` keeps the origin. */
export class DirectorError extends Error {
  override readonly name = 'DirectorError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** What a change runs into, for programs. */
export type ChangeFault = 'service-exists' | 'no-service' | 'server-exists' | 'no-server' | 'invalid';

/** INVALID_CHANGE: nothing has changed. `index` is that of the change in its list; undefined: the list is none. */
export class ChangeError extends DirectorError {
  constructor(
    message: string,
    readonly reason: ChangeFault,
    readonly index: number | undefined,
  ) {
    super('INVALID_CHANGE', message);
  }
}

/** For `catch`: the failure as IO, with what was being done before its reason. */
export function ioFailure(what: string): (error: unknown) => never {
  return (error) => {
    throw new DirectorError('IO', `${what}: ${(error as Error).message}`, { cause: error });
  };
}
