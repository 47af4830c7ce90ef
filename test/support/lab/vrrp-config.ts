// keepalived.conf text of virtual routers, the same for keepalived and for uvs: what differs between two peers of a test
// is what the test says. Lines that only one test needs go into `lines`.

export type RouterSpec = {
  /** Default VI_1. */
  readonly name?: string;
  /** Default BACKUP: who is master is decided by priority. */
  readonly state?: 'MASTER' | 'BACKUP';
  /** Default eth0. */
  readonly device?: string;
  /** Default 51. */
  readonly virtualRouterId?: number;
  readonly priority: number;
  /** Default 1. */
  readonly interval_s?: number;
  /** Default: the daemon's own (2, and 3 for IPv6). */
  readonly version?: 2 | 3;
  /** `auth_type PASS` with this password. */
  readonly password?: string;
  readonly unicast?: { readonly source: string; readonly peers: readonly string[] };
  /** As a line of virtual_ipaddress has them: `10.1.0.100/32 dev eth0 label eth0:1`. */
  readonly addresses: readonly string[];
  readonly lines?: readonly string[];
};

export function routerText(spec: RouterSpec): string {
  const { unicast, password, version } = spec;
  return block(`vrrp_instance ${spec.name ?? 'VI_1'}`, [
    `state ${spec.state ?? 'BACKUP'}`,
    `interface ${spec.device ?? 'eth0'}`,
    `virtual_router_id ${spec.virtualRouterId ?? 51}`,
    `priority ${spec.priority}`,
    `advert_int ${spec.interval_s ?? 1}`,
    ...(version === undefined ? [] : [`version ${version}`]),
    ...(password === undefined ? [] : [block('authentication', ['auth_type PASS', `auth_pass ${password}`])]),
    ...(unicast === undefined
      ? []
      : [`unicast_src_ip ${unicast.source}`, block('unicast_peer', unicast.peers)]),
    ...(spec.lines ?? []),
    block('virtual_ipaddress', spec.addresses),
  ]);
}

/** `vrrp_sync_group NAME { group { … } }`. */
export function groupText(name: string, members: readonly string[], lines: readonly string[] = []): string {
  return block(`vrrp_sync_group ${name}`, [block('group', members), ...lines]);
}

/** keepalived's braces: a line each. */
export function block(head: string, lines: readonly string[]): string {
  const inner = lines
    .join('\n')
    .split('\n')
    .map((line) => `    ${line}`);
  return `${head} {\n${inner.join('\n')}\n}`;
}
