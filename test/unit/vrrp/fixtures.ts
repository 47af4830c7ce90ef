// A virtual router, its adverts and its states for tests: all defaults, one line to say what differs.
import { type IpAddress, parseIp } from '../../../src/model/address.js';
import { type Micros, micros, seconds } from '../../../src/model/units.js';
import {
  defaultAdvertLease,
  defaultAnnouncePolicy,
  defaultReleaseBudget,
  type VirtualAddress,
  type VirtualRouter,
  virtualRouterDefaults,
} from '../../../src/model/virtual-router.js';
import { step } from '../../../src/vrrp/instance.js';
import type { ReceivedAdvert } from '../../../src/vrrp/receive.js';
import {
  createInstance,
  type InstancePolicy,
  nextDeadline,
  type VrrpAction,
  type VrrpEvent,
  type VrrpState,
} from '../../../src/vrrp/state.js';

export function ip(text: string): IpAddress {
  const address = parseIp(text);
  if (address === undefined) throw new Error(`no address: ${text}`);
  return address;
}

export function vip(text: string): VirtualAddress {
  const [address = '', length = text.includes(':') ? '128' : '32'] = text.split('/');
  return {
    address: ip(address),
    length: Number(length),
    device: undefined,
    label: undefined,
    scope: 'global',
    broadcast: undefined,
  };
}

export const ours = ip('10.0.0.1');
export const lower = ip('10.0.0.0');
export const higher = ip('10.0.0.2');

/** v2 over IPv4, priority 100, one advert a second; without what keepalived would not do by itself. */
export function router(overrides: Partial<VirtualRouter> = {}): VirtualRouter {
  const advertInterval = overrides.advertInterval ?? seconds(1);
  return {
    ...virtualRouterDefaults,
    name: 'VI_1',
    device: 'eth0',
    family: 4,
    virtualRouterId: 51,
    answersHigherPriority: false,
    delivery: { kind: 'multicast', group: ip('224.0.0.18') },
    addresses: [vip('10.0.0.100'), vip('10.0.0.101')],
    announce: { ...defaultAnnouncePolicy, refresh: micros(0) },
    advertLease: defaultAdvertLease(advertInterval),
    releaseBudget: defaultReleaseBudget(advertInterval),
    ...overrides,
  };
}

export function policy(overrides: Partial<VirtualRouter> = {}): InstancePolicy {
  return { router: router(overrides), source: ours };
}

export function advert(
  priority: number,
  source: IpAddress = higher,
  interval: Micros = seconds(1),
): ReceivedAdvert {
  return { source, priority, interval, hasOtherChecksum: false };
}

export function heard(
  priority: number,
  source: IpAddress = higher,
  interval: Micros = seconds(1),
): VrrpEvent {
  return { kind: 'advert', advert: advert(priority, source, interval) };
}

/** One virtual router under a clock that the test moves. */
export class Instance {
  state: VrrpState;
  now: Micros = micros(0);

  constructor(public policy: InstancePolicy) {
    this.state = createInstance(policy.router, this.now);
  }

  /** Applies `event` at `at_s` seconds and gives its actions. */
  at(at_s: number, event: VrrpEvent): readonly VrrpAction[] {
    this.now = seconds(at_s);
    const { state, actions } = step(this.state, event, this.now, this.policy);
    this.state = state;
    return actions;
  }

  /** Lets the next deadline come, on time. */
  deadline(): readonly VrrpAction[] {
    return this.at((nextDeadline(this.state) ?? Number.NaN) / 1_000_000, { kind: 'deadline' });
  }

  /** Lets all deadlines up to `at_s` come, on time; what they did, in words. */
  until(at_s: number): string[] {
    const said: string[] = [];
    while ((this.deadline_s ?? Number.POSITIVE_INFINITY) <= at_s) said.push(...words(this.deadline()));
    this.now = seconds(at_s);
    return said;
  }

  get deadline_s(): number | undefined {
    const deadline = nextDeadline(this.state);
    return deadline === undefined ? undefined : deadline / 1_000_000;
  }
}

/** Started at 0; priority 100 takes over at 3.609375. */
export function backup(overrides: Partial<VirtualRouter> = {}): Instance {
  const instance = new Instance(policy(overrides));
  instance.at(0, { kind: 'start' });
  return instance;
}

/** Master since its first deadline. */
export function master(overrides: Partial<VirtualRouter> = {}): Instance {
  const instance = backup(overrides);
  if (instance.state.kind !== 'master') instance.deadline();
  return instance;
}

/** Actions as short words, for tables: `send 100`, `announce 5 master`, `backup→master silence`. */
export function words(actions: readonly VrrpAction[]): string[] {
  return actions.map((action) => {
    switch (action.kind) {
      case 'transition':
        return `${action.from}→${action.to} ${action.cause.kind}`;
      case 'send-advert':
        return `send ${action.priority}`;
      case 'forward':
        return `forward ${action.isOn ? 'on' : 'off'}`;
      case 'announce':
        return `announce ${action.repeat} ${action.why}`;
      case 'notify':
        return `notify ${action.state} ${action.priority}`;
      case 'report':
        return `report ${action.level} ${action.code}`;
      case 'probe-addresses':
      case 'add-addresses':
      case 'remove-addresses':
      case 'clean-addresses':
        return action.kind;
      default:
        return action satisfies never;
    }
  });
}
