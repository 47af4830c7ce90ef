// What VRRP says on a network of the lab: adverts and announcements captured by tcpdump, as values with real-time
// microseconds. On a switch's br0 it is what has passed the switch; on a director's device, what that one said and heard.
// tcpdump decodes: our own codec is what these captures judge.

import { Capture } from './capture.js';
import type { Host } from './lab.js';
import { runOk } from './process.js';

/** Adverts, ARP, neighbour solicitations and advertisements. */
const filter = 'ip proto 112 or ip6 proto 112 or arp or (icmp6 and (ip6[40] == 135 or ip6[40] == 136))';

export type CapturedAdvert = {
  readonly atMicros: number;
  readonly source: string;
  readonly destination: string;
  readonly sourceMac: string;
  readonly ttl: number;
  readonly version: 2 | 3;
  readonly virtualRouterId: number;
  readonly priority: number;
  readonly intervalMicros: number;
  readonly addresses: readonly string[];
  /** Text of the authentication field, where there is one. */
  readonly auth: string | undefined;
};

/** An ARP request or reply, or a neighbour advertisement, that says by itself who has an address. */
export type CapturedAnnouncement = {
  readonly atMicros: number;
  readonly kind: 'arp-request' | 'arp-reply' | 'neighbour-advertisement';
  readonly address: string;
  readonly sourceMac: string;
};

export class Adverts {
  private constructor(private readonly capture: Capture) {}

  static async start(host: Host, device = 'br0'): Promise<Adverts> {
    return new Adverts(await Capture.start(host, device, filter));
  }

  /** All packets so far as tcpdump's text, a line each, with seconds of the real-time clock before it. */
  async text(): Promise<string> {
    const text = await runOk(['tcpdump', '-tt', '-e', '-n', '-v', '-r', this.capture.file]);
    // With -v tcpdump folds an IP packet into several lines, the later ones indented.
    return text.replaceAll(/\n\s+/g, ' ');
  }

  /** The last adverts as text, for the message of a failure; the capture itself is gone with the lab. */
  async tail(count = 40): Promise<string> {
    const lines = (await this.text()).split('\n').filter((line) => line.includes('VRRP'));
    return lines.slice(-count).join('\n');
  }

  async adverts(): Promise<readonly CapturedAdvert[]> {
    return parseAdverts(await this.text());
  }

  /** Gratuitous ARP and unsolicited neighbour advertisements. */
  async announcements(): Promise<readonly CapturedAnnouncement[]> {
    return parseAnnouncements(await this.text());
  }

  async stop(): Promise<void> {
    await this.capture.stop();
  }
}

const head = /^(\d+)\.(\d{6}) ([0-9a-f:]{17}) > [0-9a-f:]{17}, /;

export function parseAdverts(text: string): readonly CapturedAdvert[] {
  const adverts: CapturedAdvert[] = [];
  for (const line of text.split('\n')) {
    const [, seconds, micros, sourceMac = ''] = head.exec(line) ?? [];
    const said =
      /(?:ttl|hlim) (\d+).*?\)\s+(\S+) > (\S+): VRRPv([23]), Advertisement, (?:\([^)]*\), )?vrid (\d+), prio (\d+),(?: authtype \w+,)? intvl (\d+)(c?s), length \d+(?:, \([^)]*\))?, addrs(?:\(\d+\))?: ([^"]*?)(?: auth "(.*)")?$/.exec(
        line,
      );
    if (seconds === undefined || said === null) continue;
    const [
      ,
      ttl,
      source = '',
      destination = '',
      version,
      id,
      priority,
      interval,
      unit,
      addresses = '',
      auth,
    ] = said;
    adverts.push({
      atMicros: Number(seconds) * 1_000_000 + Number(micros),
      source,
      destination,
      sourceMac,
      ttl: Number(ttl),
      version: version === '2' ? 2 : 3,
      virtualRouterId: Number(id),
      priority: Number(priority),
      intervalMicros: Number(interval) * (unit === 's' ? 1_000_000 : 10_000),
      addresses: addresses.trim().split(/[ ,]+/),
      auth: auth?.replaceAll('^@', ''),
    });
  }
  return adverts;
}

export function parseAnnouncements(text: string): readonly CapturedAnnouncement[] {
  const found: CapturedAnnouncement[] = [];
  for (const line of text.split('\n')) {
    const [, seconds, micros, sourceMac = ''] = head.exec(line) ?? [];
    if (seconds === undefined) continue;
    const at = { atMicros: Number(seconds) * 1_000_000 + Number(micros), sourceMac };
    const [, target, teller] = /Request who-has (\S+?)(?: \([^)]*\))? tell ([^\s,]+)/.exec(line) ?? [];
    const reply = /Reply (\S+) is-at/.exec(line)?.[1];
    const advertised = /neighbor advertisement.*? tgt is ([0-9a-f:]+)/.exec(line)?.[1];
    if (target !== undefined && target === teller)
      found.push({ ...at, kind: 'arp-request', address: target });
    // A reply to a question goes to one machine.
    else if (reply !== undefined && line.includes('> ff:ff:ff:ff:ff:ff')) {
      found.push({ ...at, kind: 'arp-reply', address: reply });
    } else if (advertised !== undefined && line.includes('> 33:33:')) {
      found.push({ ...at, kind: 'neighbour-advertisement', address: advertised });
    }
  }
  return found;
}
