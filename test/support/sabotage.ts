// Makes one call of many fail: ports are handed out through it, their calls are counted while it is armed, and the one with
// the chosen number throws or rejects instead of being made. A test that walks over all numbers has tried every step.

/** Calls that give a promise reject; all others throw. */
const rejecting = /^(start|publish|connections|stop|settle|entrust|add\w+|remove\w+|leave\w+|takeUp\w+)$/;

/** Calls that say in words what went wrong. */
const answering = /^(advertise|sendFrame)$/;
/** What can't fail, by the port's word, and what the director only asks. */
const safe = /^(status|services|links|localAddresses|close|revoke|follow|unlisten|stopHearing)$/;

export class Sabotage {
  /** `network.addAddress`, in the order of the calls since it was armed. */
  readonly calls: string[] = [];
  private target: number | undefined;
  private isArmed = false;

  /** The call with this number fails from now on; undefined: none does, and they are listed. */
  arm(target: number | undefined): void {
    this.calls.length = 0;
    this.target = target;
    this.isArmed = true;
  }

  disarm(): void {
    this.isArmed = false;
  }

  /** The port, with its calls under watch. */
  on<T extends object>(name: string, port: T): T {
    return new Proxy(port, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function' || typeof key !== 'string') return value;
        return (...args: unknown[]) => {
          if (this.isArmed && !safe.test(key)) {
            this.calls.push(`${name}.${key}`);
            if (this.calls.length - 1 === this.target) {
              const error = new Error(`${name}.${key} was made to fail`);
              if (answering.test(key)) return error.message;
              if (rejecting.test(key)) return Promise.reject(error);
              throw error;
            }
          }
          return Reflect.apply(value, target, args);
        };
      },
    });
  }
}
