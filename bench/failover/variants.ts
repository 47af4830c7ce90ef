// Who fails over in this bench: two keepalived or two uvs directors, as one interface. keepalived's clients are served by
// nginx on the directors themselves, since this kernel need not have IPVS; uvs forwards to two real servers by DR.

import {
  configText,
  Director,
  type Host,
  Keepalived,
  type Lab,
  type RouterSpec,
  routerText,
  serverAt,
  startHttp,
  type Topology,
  topologies,
  vip,
} from '../../test/support/lab/index.js';

/** One running director of a pair. */
export type Runner = {
  readonly waitForState: (router: string, state: 'MASTER' | 'BACKUP') => Promise<void>;
  readonly stop: () => Promise<unknown>;
  readonly kill: () => Promise<unknown>;
  /** Gives mastership to the peer; undefined where the program has no such command. */
  readonly switchOver: (() => Promise<unknown>) | undefined;
  readonly log: () => string;
};

export type Variant = {
  readonly topology: Topology;
  /** Whatever serves the clients. */
  readonly serve: (lab: Lab) => Promise<void>;
  readonly start: (host: Host, router: RouterSpec) => Promise<Runner>;
};

export type VariantName = 'keepalived' | 'uvs';

export const variants: Readonly<Record<VariantName, Variant>> = {
  keepalived: {
    topology: topologies.twoDirectors('DR', { servers: 0 }),
    serve: async (lab) => {
      await Promise.all([startHttp(lab.host('director-a')), startHttp(lab.host('director-b'))]);
    },
    start: async (host, router) => {
      const peer = await Keepalived.start(host, routerText(router));
      return {
        waitForState: (name, state) => peer.waitForState(name, state),
        stop: () => peer.stop(),
        // Its addresses stay, and the kernel goes on answering for them; its next start removes them.
        kill: () => peer.kill(),
        switchOver: undefined,
        log: () => peer.log(),
      };
    },
  },
  uvs: {
    topology: topologies.twoDirectors('DR'),
    serve: async (lab) => {
      await Promise.all([startHttp(lab.host('server-a')), startHttp(lab.host('server-b'))]);
    },
    start: async (host, router) => {
      const servers = [serverAt(vip, 1, 0), serverAt(vip, 1, 1)];
      const services = configText([{ address: vip, port: 80, method: 'DR', servers }]);
      const director = await Director.start(host, `${routerText(router)}\n${services}`);
      return {
        waitForState: (name, state) => director.waitForState(name, state),
        stop: () => director.stop(),
        kill: () => director.kill(),
        // By the socket: starting a command would take the one machine that all of the lab shares from the directors.
        switchOver: () => director.api('POST', '/v1/switchover', {}),
        log: () => director.log(),
      };
    },
  },
};
