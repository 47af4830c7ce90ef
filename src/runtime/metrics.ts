// The director's state as Prometheus text (exposition format 0.0.4). Pure formatting; yields piece by piece, for a
// table of thousands of servers makes megabytes.

import type { Traffic } from '../dataplane/port.js';
import type { DestinationId, ServiceId } from '../model/service-id.js';
import { failoverFamilies } from './failover-metrics.js';
import { bit, counter, type Family, gauge, label, type Sample } from './metric-family.js';
import type { DestinationView, DirectorStatus, ServerView, ServiceView } from './views.js';

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8';

/** The whole page; each piece ends at a line end. */
export function* metricsText(
  status: DirectorStatus,
  services: readonly ServiceView[],
): Generator<string, void> {
  for (const family of families(status, services)) {
    yield `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.type}\n`;
    let lines = '';
    for (const [labels, value] of family.samples) {
      lines += `${family.name}${labels === '' ? '' : `{${labels}}`} ${value}\n`;
      if (lines.length < 8_192) continue;
      yield lines;
      lines = '';
    }
    if (lines !== '') yield lines;
  }
}

function families(status: DirectorStatus, services: readonly ServiceView[]): Family[] {
  const { dataplane, loopLag } = status;
  return [
    gauge('uvs_info', 'The director that answers.', [[label('version', status.version), 1]]),
    gauge('uvs_uptime_seconds', 'Time since the director became ready.', [['', status.uptime / 1e6]]),
    gauge('uvs_generation', 'Generation of the forwarding table in force.', [['', status.generation]]),
    gauge('uvs_table_current', '0 while a change has not reached the data plane, or was refused.', [
      ['', bit(status.isCurrent)],
    ]),
    gauge('uvs_configured_timestamp_seconds', 'When the configuration in force was taken up.', [
      ['', status.configuredAt / 1e6],
    ]),
    gauge('uvs_event_loop_lag_seconds', 'How late the control plane ran since its start.', [
      [label('stat', 'mean'), loopLag.mean / 1e6],
      [label('stat', 'worst'), loopLag.worst / 1e6],
    ]),
    counter('uvs_log_lines_lost_total', 'Log lines that could not be written.', [['', status.log.lost]]),
    counter('uvs_log_lines_held_back_total', 'Log lines that only repeated a message.', [
      ['', status.log.heldBack],
    ]),
    counter('uvs_failed_steps_total', 'Steps of timers and events that failed and were made up for.', [
      ['', status.failedSteps],
    ]),
    gauge('uvs_connections', 'Entries of the connection table.', [['', dataplane.connectionCount]]),
    gauge('uvs_connections_limit', 'Most entries that the connection table takes.', [
      ['', dataplane.connectionLimit],
    ]),
    counter('uvs_verdicts_total', 'Packets by what became of them.', [
      [label('verdict', 'forward'), dataplane.verdicts.forward],
      [label('verdict', 'answer'), dataplane.verdicts.answer],
      [label('verdict', 'to_host'), dataplane.verdicts.toHost],
      [label('verdict', 'drop'), dataplane.verdicts.drop],
      [label('verdict', 'held'), dataplane.verdicts.held],
    ]),
    counter(
      'uvs_drops_total',
      'Dropped packets by reason.',
      dataplane.drops.map(({ reason, count }): Sample => [label('reason', reason), count]),
    ),
    counter(
      'uvs_flow_events_total',
      'Connections that ended early, moved or did without a record.',
      dataplane.flowEvents.map(({ event, count }): Sample => [label('event', event), count]),
    ),
    counter(
      'uvs_passes_total',
      'Packets left to the host although a service may have been meant, by reason.',
      dataplane.passes.map(({ reason, count }): Sample => [label('reason', reason), count]),
    ),
    counter(
      'uvs_put_back_total',
      'What is ours in the kernel and was put back after somebody else changed it.',
      [['', status.custody.putBack]],
    ),
    gauge('uvs_deviations', 'What is ours in the kernel, was changed by somebody else and is left so.', [
      ['', status.custody.deviations.length],
    ]),
    gauge(
      'uvs_device_attached',
      '1 when packets of the device are handled.',
      dataplane.devices.map((device): Sample => [label('device', device.name), bit(device.isAttached)]),
    ),
    gauge('uvs_addresses_missing', 'Addresses of services that are on no device.', [
      ['', status.missingAddresses.length],
    ]),
    ...failoverFamilies(status),
    ...serviceFamilies(services),
    ...destinationFamilies(services),
    ...serverFamilies(services),
  ];
}

function serviceFamilies(services: readonly ServiceView[]): Family[] {
  const each = (read: (service: ServiceView) => number | bigint) =>
    services.map((service): Sample => [serviceLabels(service.id), read(service)]);
  return [
    gauge(
      'uvs_service_up',
      '1 when the quorum of the service is reached.',
      each((service) => bit(service.isUp)),
    ),
    gauge(
      'uvs_service_draining',
      '1 when the service was removed and drains.',
      each((s) => bit(s.isDraining)),
    ),
    gauge(
      'uvs_service_standby',
      "1 when the service's address is another director's.",
      each((s) => bit(s.isStandby)),
    ),
    ...trafficFamilies('uvs_service', 'the service', (name) => each((service) => service.traffic[name])),
  ];
}

function destinationFamilies(services: readonly ServiceView[]): Family[] {
  const each = (read: (destination: DestinationView) => number | bigint) =>
    destinationSamples(services, read);
  return [
    gauge(
      'uvs_destination_weight',
      'Weight in force; 0 is quiesced.',
      each((d) => d.weight),
    ),
    gauge(
      'uvs_destination_active_connections',
      'Connections in ESTABLISHED or SYN_RECV.',
      each((d) => d.active),
    ),
    gauge(
      'uvs_destination_inactive_connections',
      'Connections in any other state.',
      each((d) => d.inactive),
    ),
    gauge(
      'uvs_destination_persistent_connections',
      'Persistence templates.',
      each((d) => d.persistent),
    ),
    gauge(
      'uvs_destination_overloaded',
      '1 above the upper threshold.',
      each((d) => bit(d.isOverloaded)),
    ),
    ...trafficFamilies('uvs_destination', 'the destination', (name) => each((d) => d.traffic[name])),
  ];
}

function serverFamilies(services: readonly ServiceView[]): Family[] {
  return [
    gauge(
      'uvs_server_up',
      '1 when all checkers of a configured server pass.',
      serverSamples(services, (labels, server) => [[labels, bit(server.isLive)]]),
    ),
    gauge(
      'uvs_checker_up',
      "A checker's verdict.",
      serverSamples(services, (labels, server) =>
        server.checkers.map((checker, i) => [
          `${labels},${label('checker', checker.kind)},index="${i}"`,
          bit(checker.isUp),
        ]),
      ),
    ),
    gauge(
      'uvs_checker_failures',
      'Failures in a row that have not counted yet.',
      serverSamples(services, (labels, server) =>
        server.checkers.map((checker, i) => [
          `${labels},${label('checker', checker.kind)},index="${i}"`,
          checker.failures,
        ]),
      ),
    ),
  ];
}

function* destinationSamples(
  services: readonly ServiceView[],
  read: (destination: DestinationView) => number | bigint,
): Generator<Sample, void> {
  for (const service of services) {
    const labels = serviceLabels(service.id);
    for (const destination of service.destinations) {
      yield [
        `${labels},${serverLabels(destination)},${label('method', destination.method)}`,
        read(destination),
      ];
    }
  }
}

function* serverSamples(
  services: readonly ServiceView[],
  read: (labels: string, server: ServerView) => readonly Sample[],
): Generator<Sample, void> {
  for (const service of services) {
    const labels = serviceLabels(service.id);
    for (const server of service.servers) yield* read(`${labels},${serverLabels(server)}`, server);
  }
}

function trafficFamilies(
  prefix: string,
  what: string,
  samples: (name: keyof Traffic) => Iterable<Sample>,
): Family[] {
  return [
    counter(`${prefix}_connections_total`, `Connections scheduled to ${what}.`, samples('connections')),
    counter(`${prefix}_in_packets_total`, `Packets from clients to ${what}.`, samples('inPackets')),
    counter(`${prefix}_out_packets_total`, `Packets from ${what} to clients.`, samples('outPackets')),
    counter(`${prefix}_in_bytes_total`, `Bytes from clients to ${what}.`, samples('inBytes')),
    counter(`${prefix}_out_bytes_total`, `Bytes from ${what} to clients.`, samples('outBytes')),
  ];
}

/** Every port is port 0. */
function serviceLabels(id: ServiceId): string {
  switch (id.kind) {
    case 'endpoint':
      return `protocol="${id.protocol}",address="${id.address}",port="${id.port}"`;
    case 'any-port':
      return `protocol="${id.protocol}",address="${id.address}",port="0"`;
    case 'mark':
      return `fwmark="${id.mark}",family="${id.family}"`;
    default:
      return id satisfies never;
  }
}

function serverLabels(server: DestinationId): string {
  return `server_address="${server.address}",server_port="${server.port}"`;
}
