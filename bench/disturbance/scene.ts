// Where disturbances strike: a director between a client and two servers that hold dialogues, and the director's own
// start, stop and devices.

import {
  configText,
  Director,
  type DirectorOptions,
  type Host,
  type Lab,
  type ServiceSpec,
  serveDialogue,
  serverAt,
  type Topology,
  topologies,
} from '../../test/support/lab/index.js';

export type Mode = { readonly method: 'DR' | 'NAT'; readonly topology: Topology; readonly net: number };

export const modes: readonly Mode[] = [
  { method: 'DR', topology: topologies.dr(), net: 1 },
  { method: 'NAT', topology: topologies.nat(), net: 2 },
];

export class Scene {
  #director: Director;

  private constructor(
    readonly host: Host,
    private readonly config: string,
    private readonly options: DirectorOptions,
    director: Director,
  ) {
    this.#director = director;
  }

  /** Serves dialogues at each address of `vips`, shared out over both servers. */
  static async start(
    lab: Lab,
    mode: Mode,
    vips: readonly string[],
    port: number,
    options: DirectorOptions = {},
  ): Promise<Scene> {
    const services = vips.map(
      (address): ServiceSpec => ({
        address,
        port,
        method: mode.method,
        servers: [0, 1].map((index) => serverAt(address, mode.net, index, port)),
      }),
    );
    for (const [index, name] of ['server-a', 'server-b'].entries()) {
      for (const address of vips) {
        const bound = mode.method === 'DR' ? address : serverAt(address, mode.net, index).address;
        await serveDialogue(lab.host(name), bound, port);
      }
    }
    const host = lab.host('director');
    const config = configText(services);
    return new Scene(host, config, options, await Director.start(host, config, options));
  }

  get director(): Director {
    return this.#director;
  }

  /** Ends the director as a restart does, and starts it again in its place. */
  async restart(): Promise<void> {
    const { socket } = this.#director;
    await this.#director.process.stop('SIGQUIT', 20);
    this.#director = await Director.start(this.host, this.config, { ...this.options, socket });
  }

  /** The director's network devices, without loopback and what is ours. */
  async devices(): Promise<readonly string[]> {
    return (await this.host.devices()).filter((name) => name !== 'lo' && !name.startsWith('uvs'));
  }
}
