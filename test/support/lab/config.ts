// keepalived.conf text for tests, from what a test wants to say about its services.
// Only what the lab tests need; the whole language is the business of test/unit and test/golden.

export type ServerSpec = {
  readonly address: string;
  readonly port: number;
  readonly weight?: number;
  /** Stays in the table with weight 0 when its check fails. */
  readonly inhibit?: boolean;
};

export type ServiceSpec = {
  readonly address: string;
  readonly port: number;
  readonly protocol?: 'TCP' | 'UDP';
  readonly method: 'NAT' | 'DR';
  /** Default rr. */
  readonly scheduler?: string;
  readonly servers: readonly ServerSpec[];
  /** Watch the servers by TCP_CHECK, several times a second; default false: they are always up. */
  readonly isChecked?: boolean;
};

/** A configuration with these services; `head` stands before them. */
export function configText(services: readonly ServiceSpec[], head = ''): string {
  return `${head}\n${services.map(serviceText).join('\n')}`;
}

function serviceText(service: ServiceSpec): string {
  return `virtual_server ${service.address} ${service.port} {
    delay_loop 0.3
    lb_algo ${service.scheduler ?? 'rr'}
    lb_kind ${service.method}
    protocol ${service.protocol ?? 'TCP'}
${service.servers.map((server) => serverText(server, service.isChecked ?? false)).join('\n')}
}`;
}

function serverText(server: ServerSpec, isChecked: boolean): string {
  const check = `        TCP_CHECK {
            connect_timeout 0.5
            retry 1
            delay_before_retry 0.1
        }`;
  return [
    `    real_server ${server.address} ${server.port} {`,
    `        weight ${server.weight ?? 1}`,
    ...(server.inhibit === true ? ['        inhibit_on_failure'] : []),
    ...(isChecked ? [check] : []),
    '    }',
  ].join('\n');
}

/** Server `index` (0 is server-a) of network `net`, in the family of `like`. */
export function serverAt(like: string, net: number, index: number, port = 80): ServerSpec {
  const last = 21 + index;
  return { address: like.includes(':') ? `fd00:${net}::${last}` : `10.${net}.0.${last}`, port };
}
