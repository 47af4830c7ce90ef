// TCP_CHECK { }, and the schedule that every checker inherits: virtual_server → real_server → checker.

import type { IpAddress } from '../../model/address.js';
import type { TcpCheckPolicy } from '../../model/director-config.js';
import { type Micros, seconds } from '../../model/units.js';
import type { Report } from '../report.js';
import type { Place } from '../source.js';
import { type Block, settingOf } from '../tree.js';
import { addressOf, flagOf, integerOf, textOf, timerOf } from './settings.js';

/** What a level says about the checkers below it; undefined where it is silent. */
export type Inherited = {
  readonly connectTimeout: Micros | undefined;
  readonly retries: number | undefined;
  readonly delayBeforeRetry: Micros | undefined;
  readonly delayLoop: Micros | undefined;
  readonly warmup: Micros | undefined;
  readonly alpha: boolean | undefined;
};

/** The settings of a block over those of the block around it. */
export function inheritFrom(block: Block, outer: Inherited | undefined): Inherited {
  return {
    connectTimeout: timerOf(block, 'connect_timeout') ?? outer?.connectTimeout,
    retries: integerOf(block, 'retry') ?? outer?.retries,
    delayBeforeRetry: timerOf(block, 'delay_before_retry') ?? outer?.delayBeforeRetry,
    delayLoop: timerOf(block, 'delay_loop') ?? outer?.delayLoop,
    warmup: timerOf(block, 'warmup') ?? outer?.warmup,
    alpha: flagOf(block, 'alpha') ?? outer?.alpha,
  };
}

/** What a checker finds around it. */
export type CheckedServer = {
  readonly address: IpAddress;
  /** As written, before the port is set to the service's: this is where the server listens. */
  readonly port: number;
  readonly serviceAddress: IpAddress;
  readonly inherited: Inherited;
  readonly logAllFailures: boolean;
};

export function readTcpCheck(block: Block, server: CheckedServer, report: Report): TcpCheckPolicy {
  const own = inheritFrom(block, server.inherited);
  const delayLoop = own.delayLoop ?? seconds(60);
  const connectAddress = addressOf(block, 'connect_ip') ?? server.address;
  const bindAddress = addressOf(block, 'bindto');
  const placeOf = (keyword: string): Place | undefined => settingOf(block, keyword)?.arguments[0];
  const connectPlace = placeOf('connect_ip');
  if (connectPlace !== undefined && connectAddress === server.serviceAddress) {
    const message = `the check connects to the service's own address ${connectAddress}, not to the real server`;
    report.add(
      'no-effect',
      connectPlace,
      message,
      'remove connect_ip, or name an address of the real server',
    );
  }
  const bindPlace = placeOf('bindto');
  if (bindPlace !== undefined && bindAddress?.includes(':') !== connectAddress.includes(':')) {
    report.add('family-mismatch', bindPlace, `bindto and ${connectAddress} are not of one family`);
  }
  const retryPlace = settingOf(block, 'delay_before_retry')?.keyword;
  if (retryPlace !== undefined && own.retries === 0) {
    report.add(
      'no-effect',
      retryPlace,
      'delay_before_retry does nothing while retry is 0',
      'remove one of them',
    );
  }
  return {
    kind: 'tcp',
    delayLoop,
    retries: own.retries ?? 1,
    delayBeforeRetry: own.delayBeforeRetry ?? seconds(1),
    warmup: own.warmup ?? delayLoop,
    alpha: own.alpha ?? false,
    logAllFailures: flagOf(block, 'log_all_failures') ?? server.logAllFailures,
    connectAddress,
    connectPort: integerOf(block, 'connect_port') ?? server.port,
    bindAddress,
    bindPort: integerOf(block, 'bind_port') ?? 0,
    bindDevice: textOf(block, 'bind_if'),
    connectTimeout: own.connectTimeout ?? seconds(5),
    fwmark: integerOf(block, 'fwmark') ?? 0,
  };
}
