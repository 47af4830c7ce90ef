// When a service counts as up: by the weights of its live servers, with hysteresis, as keepalived decides it.
// Pure; what the service does about it (the sorry server) is pool.ts.

export type QuorumPolicy = { readonly quorum: number; readonly hysteresis: number };

/** Whether a service that has just been configured is up. */
export function initialQuorum(policy: QuorumPolicy, liveWeight: number): boolean {
  return nextQuorum(policy, false, liveWeight);
}

/**
 * `liveWeight` is the sum of the weights of the live servers. Up from `quorum + hysteresis` on, down below
 * `quorum - hysteresis` or at 0; in between nothing changes, so that one flapping server can't flap the service.
 */
export function nextQuorum(policy: QuorumPolicy, isUp: boolean, liveWeight: number): boolean {
  if (liveWeight === 0) return false;
  return liveWeight >= (isUp ? policy.quorum - policy.hysteresis : policy.quorum + policy.hysteresis);
}
