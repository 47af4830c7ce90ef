// What a command of ipvsadm asks the director to change, as the list that POST /v1/changes takes. What the director does not
// have is refused in words, and what the kernel would refuse by itself in the kernel's.

import { maskLength } from '../model/address.js';
import { type Scheduler, type SchedulerFlag, schedulers } from '../model/forwarding-table.js';
import { addressService, notServedYet, type ServiceId } from '../model/service-id.js';
import type { ChangeRequest } from '../runtime/changes.js';
import type {
  AskedCommand,
  AskedPersistence,
  AskedServer,
  AskedServerId,
  AskedService,
  AskedSettings,
} from './command.js';
import { Refusal } from './scan.js';
import { flagsOf } from './values.js';

/** As the kernel's: what is more is refused there by nobody, and means nothing. */
const maxWeight = 65_535;

/** What `command` changes; undefined: it changes nothing, but asks. Throws Refusal. */
export function changeOf(command: AskedCommand): ChangeRequest | undefined {
  switch (command.kind) {
    case 'add-service':
      return { kind: 'add-service', service: serviceOf(command.service), set: settingsOf(command.set) };
    case 'edit-service':
      return { kind: 'update-service', service: serviceOf(command.service), set: settingsOf(command.set) };
    case 'delete-service':
      return { kind: 'remove-service', service: serviceOf(command.service) };
    case 'clear':
      return { kind: 'clear' };
    case 'add-server':
      return {
        kind: 'add-server',
        service: serviceOf(command.service),
        server: { ...serverIdOf(command), ...serverOf(command.server) },
      };
    case 'edit-server':
      return {
        kind: 'update-server',
        service: serviceOf(command.service),
        server: serverIdOf(command),
        set: serverOf(command.server),
      };
    case 'delete-server':
      return {
        kind: 'remove-server',
        service: serviceOf(command.service),
        server: serverIdOf(command),
      };
    case 'zero':
      return command.service === undefined
        ? { kind: 'zero' }
        : { kind: 'zero', service: serviceOf(command.service) };
    case 'set': {
      const { tcp_s, tcpFin_s, udp_s } = command;
      return {
        kind: 'set-timeouts',
        ...(tcp_s > 0 ? { tcp_s } : {}),
        ...(tcpFin_s > 0 ? { tcpFin_s } : {}),
        ...(udp_s > 0 ? { udp_s } : {}),
      };
    }
    case 'start-daemon':
    case 'stop-daemon':
      throw notYet('the synchronisation of connections');
    case 'restore':
    case 'list':
    case 'save':
    case 'help':
    case 'version':
      return undefined;
    default:
      return command satisfies never;
  }
}

/** Why a change was refused, as `reason` of the API's errors has it, in the words of ipvsadm; undefined: it has none. */
export function kernelWords(
  kind: ChangeRequest['kind'] | undefined,
  reason: string | undefined,
): string | undefined {
  switch (reason) {
    case 'service-exists':
      return 'Service already exists';
    case 'no-service':
      return kind?.endsWith('-server') ? 'Service not defined' : 'No such service';
    case 'server-exists':
      return 'Destination already exists';
    case 'no-server':
      return 'No such destination';
    default:
      return undefined;
  }
}

function notYet(what: string): Refusal {
  return new Refusal(`${what} is not in effect yet`, 255);
}

/** Throws Refusal for what is not in effect yet. */
export function serviceOf(service: AskedService): ServiceId {
  const id = serviceIdOf(service);
  const missing = notServedYet(id);
  if (missing !== undefined) throw notYet(missing);
  return id;
}

/** Throws Refusal for a protocol that nobody here knows. */
export function serviceIdOf(service: AskedService): ServiceId {
  if (service.kind === 'mark') return service;
  const { protocol, address, port } = service;
  if (protocol === 'sctp') throw notYet('a service of SCTP');
  return addressService(protocol, address, port);
}

function settingsOf({ scheduler, flags, onePacket, persistence, engine }: AskedSettings) {
  const known = schedulers.find((name) => name === scheduler);
  if (known === undefined || (engine !== undefined && engine !== 'sip'))
    throw new Refusal('Scheduler or persistence engine not found', 255);
  if (engine !== undefined) throw notYet('the persistence engine sip');
  return {
    scheduler: known,
    flags: namedFlags(flags, known),
    onePacket,
    persistence: persistenceOf(persistence),
  };
}

/** 0 s: none, also where there was some. */
function persistenceOf(asked: AskedPersistence | undefined) {
  if (asked === undefined) return { timeout_s: 0 };
  const { timeout_s, mask } = asked;
  if (mask === undefined) return { timeout_s };
  const prefixLength = typeof mask === 'number' ? mask : maskLength(mask);
  if (prefixLength === undefined)
    throw new Refusal(`the mask ${mask} is not one run of bits, and nothing else is in effect yet`, 255);
  return { timeout_s, prefixLength };
}

function namedFlags(flags: number, scheduler: Scheduler): SchedulerFlag[] {
  const named = flagsOf(flags, scheduler);
  if (named !== undefined) return [...named];
  const bits = [1, 2, 3].filter((n) => (flags & (1 << (n - 1))) !== 0).map((n) => `flag-${n}`);
  throw new Refusal(`the scheduler ${scheduler} has nothing that ${bits.join(' or ')} would change`, 255);
}

function serverIdOf({ service, server }: { readonly service: AskedService; readonly server: AskedServerId }) {
  const { address, port } = server;
  if (port === 0 && serviceIdOf(service).kind !== 'any-port')
    throw new Refusal('a server needs a port, unless its service is of every port', 255);
  return { address, port };
}

function serverOf({ method, weight, upperThreshold, lowerThreshold }: AskedServer) {
  if (method === 'tun') throw notYet('forwarding by TUN');
  if (lowerThreshold > upperThreshold) throw new Refusal('Numerical result out of range', 255);
  if (weight > maxWeight)
    throw new Refusal(`the weight ${weight} is more than ${maxWeight}, which is all there is`, 255);
  return { method, weight, upperThreshold, lowerThreshold };
}
