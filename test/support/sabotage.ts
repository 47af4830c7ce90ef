// Makes one call of many fail: ports are handed out through it, their calls are counted while it is armed, and the one with
// the chosen number throws or rejects instead of being made. A test that walks over all numbers has tried every step.

/** Calls that give a promise reject; all others throw. */
const rejecting =
  /^(start|publish|connections|stop|settle|entrust|lookAfter|add\w+|remove\w+|leave\w+|takeUp\w+)$/;

/** Calls that say in words what went wrong. */
const answering = /^(advertise|sendFrame)$/;
/** What can't fail, by the port's word. */
const safe = /^(status|close|revoke|follow|stopListeningForFrames|stopListeningForAdverts)$/;
/** What the director only asks. */
const asking = /^(services|links|localAddresses)$/;

export class Sabotage {
  /** `network.addAddress`, in the order of the calls since it was armed. */
  readonly calls: string[] = [];
  private target: number | undefined;
  private isArmed = false;
  private isAskingMeant = false;

  /** The call with this number fails from now on; undefined: none does, and they are listed. `isAskingMeant`: questions count, too. */
  arm(target: number | undefined, isAskingMeant = false): void {
    this.isAskingMeant = isAskingMeant;
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
          const isMeant = !safe.test(key) && (this.isAskingMeant || !asking.test(key));
          if (this.isArmed && isMeant) {
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
