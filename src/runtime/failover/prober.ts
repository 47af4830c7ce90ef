// Asks who holds an address, and listens for a moment: an answer with a MAC that is none of ours means that a second
// holder is there. Nobody waits for it; the takeover goes on meanwhile. A master also hears of whoever says it unasked.

import type { Link, Network } from '../../dataplane/network.js';
import { type IpAddress, isLinkLocal } from '../../model/address.js';
import { addMicros, type Micros, micros, seconds } from '../../model/units.js';
import { addressProbe } from '../../vrrp/address-probe.js';
import { readHolder } from '../../vrrp/frames.js';
import type { Catcher } from '../catcher.js';
import type { Cancel, Clock } from '../clock.js';
import type { Target } from './announcer.js';

/** A busy host answers within it; a longer one would hear the announcements of a peer that takes over rightly. */
export const probeWindow = seconds(1);

/**
 * The filter of a device is installed anew for each change, and holds the addresses of all its virtual routers: hundreds that
 * become master within a moment would install it as often. What is asked and watched within so long after is gathered.
 */
export const gatherPause = micros(20_000);
/** What could not be asked is asked again after it. */
const retryPause = seconds(1);

type Question = { readonly until: Micros; readonly onAnswer: (address: IpAddress, mac: string) => void };

type Watch = { readonly targets: readonly Target[]; readonly onClaim: () => void };

export type ProberParts = {
  readonly network: Pick<Network, 'links' | 'sendFrame' | 'listenForFrames' | 'stopListeningForFrames'>;
  readonly clock: Clock;
  readonly catcher: Pick<Catcher, 'run'>;
};

export class Prober {
  /** By device, then address. */
  private readonly open = new Map<string, Map<IpAddress, Question>>();
  /** By owner. */
  private readonly watches = new Map<string, Watch>();
  /** What the network listens for, by device. */
  private readonly heard = new Map<string, string>();
  private cancelAlarm: Cancel | undefined;
  /** Devices whose filter is to be looked at, and what is to be asked there then. */
  private readonly gathered = new Map<string, Set<IpAddress>>();
  private cancelGathering: Cancel | undefined;

  constructor(private readonly parts: ProberParts) {}

  /** Asks for each target once; `onAnswer` hears of each answer from a MAC that is not ours, once an address. */
  probe(targets: readonly Target[], onAnswer: Question['onAnswer']): void {
    const until = addMicros(this.parts.clock.now(), probeWindow);
    for (const device of new Set(targets.map((target) => target.device))) {
      const questions = this.open.get(device) ?? new Map<IpAddress, Question>();
      this.open.set(device, questions);
      const addresses = targets.filter((target) => target.device === device).map(({ address }) => address);
      for (const address of addresses) questions.set(address, { until, onAnswer });
      this.gather(device, addresses);
    }
    // Each is open for as long: an alarm that is set already rings first.
    if (this.cancelAlarm === undefined) this.arm();
  }

  /** `onClaim` hears of each who says unasked that it holds one of the targets, until `unwatch`; it may come often. */
  watch(owner: string, targets: readonly Target[], onClaim: () => void): void {
    const before = this.watches.get(owner)?.targets ?? [];
    this.watches.set(owner, { targets, onClaim });
    this.listenAgain([...before, ...targets]);
  }

  unwatch(owner: string): void {
    const before = this.watches.get(owner);
    this.watches.delete(owner);
    this.listenAgain(before?.targets ?? []);
  }

  /** A frame that the network reports. */
  onFrame(device: string, frame: Uint8Array): void {
    const holder = readHolder(frame);
    if (holder === undefined) return;
    const { address, mac } = holder;
    const questions = this.open.get(device);
    const question = questions?.get(address);
    const isWanted = ({ targets }: Watch) =>
      targets.some((target) => target.device === device && target.address === address);
    const watches = question === undefined ? [...this.watches.values()].filter(isWanted) : [];
    if ((question === undefined && watches.length === 0) || this.isOurs(mac)) return;
    questions?.delete(address);
    question?.onAnswer(address, mac);
    for (const { onClaim } of watches) onClaim();
  }

  stop(): void {
    this.cancelAlarm?.();
    this.cancelGathering?.();
    this.open.clear();
    this.watches.clear();
    this.gathered.clear();
  }

  private listenAgain(targets: readonly Target[]): void {
    for (const device of new Set(targets.map((target) => target.device))) this.gather(device, []);
  }

  /** At once when nothing was for a while, else with what comes until the pause is over. */
  private gather(device: string, addresses: readonly IpAddress[]): void {
    const asked = this.gathered.get(device) ?? new Set<IpAddress>();
    this.gathered.set(device, asked);
    for (const address of addresses) asked.add(address);
    if (this.cancelGathering === undefined)
      this.parts.catcher.run(
        () => this.flush(),
        () => this.flushLater(retryPause),
      );
  }

  private flush(): void {
    this.cancelGathering = undefined;
    if (this.gathered.size === 0) return;
    const links = new Map(this.parts.network.links().map((link) => [link.name, link]));
    const failures: unknown[] = [];
    for (const [device, addresses] of this.gathered) {
      const link = links.get(device);
      const canAsk = link !== undefined && link.mac !== '' && link.isUp;
      // Nobody could answer.
      if (!canAsk) for (const address of addresses) this.open.get(device)?.delete(address);
      try {
        this.listen(device, link);
        if (canAsk) this.ask(link, [...addresses]);
        this.gathered.delete(device);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    this.flushLater(gatherPause);
  }

  private flushLater(pause: Micros): void {
    const { clock } = this.parts;
    this.cancelGathering = clock.at(addMicros(clock.now(), pause), () => this.flush());
  }

  /** Listens for what is asked and watched on the device. Throws the network's error. */
  private listen(device: string, link: Link | undefined): void {
    const watched = [...this.watches.values()].flatMap(({ targets }) => targets);
    const asked = [...(this.open.get(device)?.keys() ?? [])];
    const own = watched.filter((target) => target.device === device).map(({ address }) => address);
    const addresses = [...new Set([...asked, ...own])].sort();
    if (addresses.length === 0) {
      if (this.heard.delete(device)) this.parts.network.stopListeningForFrames(device);
      return;
    }
    if (link === undefined) {
      this.heard.delete(device);
      this.open.delete(device);
      return;
    }
    // A device that was made anew has another index, and hears nothing by the old one.
    const wanted = `${link.ifindex} ${addresses.join(' ')}`;
    if (this.heard.get(device) === wanted) return;
    this.heard.delete(device);
    this.parts.network.listenForFrames({ device, addresses });
    this.heard.set(device, wanted);
  }

  private ask({ name, mac, addresses: own }: Link, addresses: readonly IpAddress[]): void {
    const watched = [...this.watches.values()].flatMap(({ targets }) => targets);
    const shared = new Set([...addresses, ...watched.map(({ address }) => address)]);
    const linkLocal = own.find(({ address }) => isLinkLocal(address) && !shared.has(address))?.address;
    for (const address of addresses)
      this.parts.network.sendFrame(name, addressProbe(address, mac, linkLocal));
  }

  private isOurs(mac: string): boolean {
    return this.parts.network.links().some((link) => link.mac === mac);
  }

  private arm(): void {
    const times = [...this.open.values()].flatMap((questions) =>
      [...questions.values()].map(({ until }) => until),
    );
    this.cancelAlarm?.();
    this.cancelAlarm = undefined;
    if (this.open.size === 0) return;
    const first = times.length === 0 ? this.parts.clock.now() : (Math.min(...times) as Micros);
    this.cancelAlarm = this.parts.clock.at(first, () => this.closeDue());
  }

  private closeDue(): void {
    const now = this.parts.clock.now();
    const links = this.parts.network.links();
    for (const [device, questions] of this.open) {
      for (const [address, { until }] of questions) if (until <= now) questions.delete(address);
      if (questions.size > 0) continue;
      this.open.delete(device);
      this.listen(
        device,
        links.find(({ name }) => name === device),
      );
    }
    this.arm();
  }
}
