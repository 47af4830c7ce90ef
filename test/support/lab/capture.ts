// tcpdump on a device of the lab, and its packets read back as tcpdump's own text lines.
// Nothing here decodes packets: what a test wants to see it says in pcap's filter language.

import type { Host } from './lab.js';
import { runOk, type TrackedProcess } from './process.js';

export class Capture {
  private constructor(
    readonly file: string,
    readonly process: TrackedProcess,
  ) {}

  /** Resolves when tcpdump listens. `filter` is in pcap's language. */
  static async start(host: Host, device: string, filter = ''): Promise<Capture> {
    const file = host.file(`${device}-${performance.now().toFixed(0)}.pcap`);
    const child = host.spawn(
      [
        'tcpdump',
        '-Z',
        'root',
        '--immediate-mode',
        '-U',
        '-n',
        '-s',
        '200',
        '-i',
        device,
        '-w',
        file,
        filter,
      ],
      { name: 'tcpdump' },
    );
    await child.waitForOutput(/listening on/);
    return new Capture(file, child);
  }

  /** The packets so far, one text line each, Ethernet header included; `filter` narrows further. */
  async lines(filter = ''): Promise<readonly string[]> {
    const text = await runOk(['tcpdump', '-e', '-n', '-v', '-r', this.file, filter]);
    // With -v tcpdump folds an IP packet into two lines, the second one indented.
    return text
      .replaceAll(/\n\s+/g, ' ')
      .split('\n')
      .filter((line) => line !== '');
  }

  async stop(): Promise<void> {
    await this.process.stop('SIGINT');
  }
}
