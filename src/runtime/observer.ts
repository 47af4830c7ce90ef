// Looks at the data plane's counters every two seconds while there are services: rates for all rows, and which quiesced rows have emptied.
// One read of the counters serves both; the work on them is sliced.

import type { Dataplane, ServiceStatus } from '../dataplane/port.js';
import { type DestinationId, endpointText, type ServiceId, serviceKey } from '../model/service-id.js';
import { addMicros, seconds } from '../model/units.js';
import type { Cancel, Clock } from './clock.js';
import {
  noRates,
  type RateEstimate,
  type Rates,
  readRates,
  samplePeriod_s,
  sampleRates,
  startRates,
} from './rates.js';
import { createSlices } from './slices.js';

type ServiceRates = { own: RateEstimate; destinations: Map<string, RateEstimate> };

/** Called when the counters are read; what it returns gets the rows, over some turns of the event loop, then the end. */
export type CounterVisitor = () => { readonly row: (row: ServiceStatus) => void; readonly end: () => void };

export class Observer {
  private rates = new Map<string, ServiceRates>();
  private cancelAlarm: Cancel | undefined;
  private isStopped = false;
  private isWanted = false;

  constructor(
    private readonly clock: Clock,
    private readonly dataplane: Pick<Dataplane, 'services'>,
    private readonly look: CounterVisitor,
  ) {}

  /** There is a new table: looks from now on, for as long as it has rows. A director without services sleeps. */
  start(): void {
    this.isWanted = true;
    if (this.cancelAlarm === undefined && !this.isStopped) this.arm();
  }

  private arm(): void {
    this.isWanted = false;
    const next = addMicros(this.clock.now(), seconds(samplePeriod_s));
    this.cancelAlarm = this.clock.at(next, async () => {
      const hasRows = await this.sample();
      this.cancelAlarm = undefined;
      if (!this.isStopped && (hasRows || this.isWanted)) this.arm();
    });
  }

  stop(): void {
    this.isStopped = true;
    this.cancelAlarm?.();
  }

  serviceRates(service: ServiceId): Rates {
    const found = this.rates.get(serviceKey(service));
    return found === undefined ? noRates : readRates(found.own);
  }

  destinationRates(service: ServiceId, destination: DestinationId): Rates {
    const found = this.rates.get(serviceKey(service))?.destinations.get(endpointText(destination));
    return found === undefined ? noRates : readRates(found);
  }

  private async sample(): Promise<boolean> {
    const yieldTurn = createSlices(this.clock);
    const look = this.look();
    const next = new Map<string, ServiceRates>();
    for (const service of this.dataplane.services()) {
      await yieldTurn();
      if (this.isStopped) return false;
      const key = serviceKey(service.id);
      next.set(key, sampleService(this.rates.get(key), service));
      look.row(service);
    }
    look.end();
    this.rates = next;
    return next.size > 0;
  }
}

/** A row that was not there at the last look starts with rate 0. */
function sampleService(before: ServiceRates | undefined, service: ServiceStatus): ServiceRates {
  const destinations = new Map<string, RateEstimate>();
  for (const destination of service.destinations) {
    const key = endpointText(destination);
    const old = before?.destinations.get(key);
    destinations.set(
      key,
      old === undefined ? startRates(destination.traffic) : sampleRates(old, destination.traffic),
    );
  }
  const own = before === undefined ? startRates(service.traffic) : sampleRates(before.own, service.traffic);
  return { own, destinations };
}
