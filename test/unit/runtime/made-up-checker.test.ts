// A checker is one definition with one line in the registry, and one probe. A made-up one is put there: its keyword is
// known in the file, with settings of its own beside the shared ones; it is read, examined, printed, compared and started.
import { afterEach, expect, test, vi } from 'vitest';
import type { Connection } from '../../../src/config/checkers/connection.js';
import { checkerOfKind } from '../../../src/config/checkers/index.js';
import { printConfig } from '../../../src/config/index.js';
import { MemoryDataplane } from '../../../src/dataplane/memory.js';
import type { ProbeResult } from '../../../src/health/checker.js';
import { diff } from '../../../src/model/diff.js';
import type { CheckerPolicy, DirectorConfig } from '../../../src/model/director-config.js';
import { seconds } from '../../../src/model/units.js';
import { createDirector } from '../../../src/runtime/create-director.js';
import type { Director } from '../../../src/runtime/director.js';
import type { StartProbe } from '../../../src/runtime/probes/probe.js';
import { ManualClock } from '../../support/manual-clock.js';
import { asPrinted, configOf, parseText, said } from '../../support/parse-config.js';

type Knock = Connection & { readonly times: number; readonly greeting: string | undefined };

vi.mock('../../../src/config/checkers/registry.js', async (original) => {
  const { checkers } = await original<typeof import('../../../src/config/checkers/registry.js')>();
  const { defineChecker, scheduleOf } = await import('../../../src/config/checkers/checker.js');
  const { connectionRows, examineConnection } = await import('../../../src/config/checkers/connection.js');
  const { text, whole } = await import('../../../src/config/notations.js');
  const { optional, setting } = await import('../../../src/config/row.js');
  const { integer } = await import('../../../src/config/values.js');
  const knockCheck = defineChecker<'knock', Knock>({
    kind: 'knock',
    keyword: 'KNOCK_CHECK',
    question: {
      ...connectionRows,
      times: setting('knock_times', whole(integer(1, 9)), () => 3),
      greeting: optional('greeting', text()),
    },
    schedule: scheduleOf({ retries: 0 }),
    examine: examineConnection,
  });
  return { checkers: [...checkers, knockCheck] };
});

const checked = (settings: string) => `
virtual_server 10.0.0.1 80 {
  protocol TCP
  lvs_sched rr
  lvs_method NAT
  delay_loop 6
  real_server 10.1.0.1 8080 {
    KNOCK_CHECK {
      ${settings}
    }
  }
  real_server 10.1.0.2 8080 {
    TCP_CHECK {
    }
  }
}`;

/** Checks that are due close together go out together, a little late. */
const aRound = seconds(6.2);

const policyIn = ({ virtualServers }: DirectorConfig) => virtualServers[0]?.realServers[0]?.checkers[0];

test('its settings have defaults of their own, and the shared ones are inherited', () => {
  expect(policyIn(configOf(checked('greeting "who is there?"\nwarmup 1')))).toEqual({
    kind: 'knock',
    question: {
      connectAddress: '10.1.0.1',
      connectPort: 8080,
      bindAddress: undefined,
      bindPort: 0,
      bindDevice: undefined,
      fwmark: 0,
      times: 3,
      greeting: 'who is there?',
    },
    timeout: seconds(5),
    delayLoop: seconds(6),
    retries: 0,
    delayBeforeRetry: seconds(1),
    warmup: seconds(1),
    alpha: false,
    logAllFailures: false,
  });
});

test.each([
  ['knock_times 10', '9:19 error out-of-range'],
  ['knok_times 1', '9:7 error unknown-keyword'],
  ['connect_ip 10.0.0.1', '9:18 warning no-effect'],
  ['delay_before_retry 2', '9:7 warning no-effect'],
])('%s: %s', (settings, expected) => {
  expect(said(parseText(checked(settings)))).toEqual([expected]);
});

test('what is printed is read as the same', () => {
  const config = configOf(
    checked('knock_times 5\nconnect_port 81\ngreeting "who is there?"\nretry 2\nalpha'),
  );
  const text = printConfig(config);
  expect(text).toContain('KNOCK_CHECK {');
  expect(text).toContain('knock_times 5');
  expect(asPrinted(configOf(text))).toEqual(asPrinted(config));
});

test('another question is a change of the server', () => {
  const [before, after] = [configOf(checked('knock_times 5')), configOf(checked('knock_times 6'))];
  expect(diff(before, after).map(({ kind }) => kind)).toEqual(['destination-changed']);
});

let director: Director | undefined;
afterEach(() => director?.stop());

test('its probe is asked, and what it says decides', async () => {
  const clock = new ManualClock();
  const dataplane = new MemoryDataplane();
  dataplane.putAddress({ address: '10.0.0.1' as never, prefixLength: 24, device: 'eth0' });
  const asked: Knock[] = [];
  let answer: ProbeResult = { kind: 'passed' };
  const knock: StartProbe<CheckerPolicy<'knock', Knock>> = ({ question }, onResult) => {
    asked.push(question);
    setImmediate(() => onResult(answer));
    return { cancel: () => {} };
  };
  const tcp: StartProbe<CheckerPolicy> = (_policy, onResult) => {
    setImmediate(() => onResult({ kind: 'passed' }));
    return { cancel: () => {} };
  };
  const text = checked('knock_times 5\nwarmup 0');
  director = createDirector(
    { configText: text },
    { clock, dataplane, probes: { knock, tcp }, random: () => 0 },
  );
  await director.start();
  await clock.advance(aRound);
  expect(asked[0]).toMatchObject({ times: 5, connectPort: 8080 });
  const inTable = () => dataplane.current.services[0]?.destinations.map(({ address }) => address);
  expect(inTable()?.toSorted()).toEqual(['10.1.0.1', '10.1.0.2']);

  answer = { kind: 'failed', reason: 'nobody at home' };
  await clock.advance(aRound);
  expect(inTable()).toEqual(['10.1.0.2']);
  const [server] = (await director.services())[0]?.servers ?? [];
  expect(server?.checkers).toMatchObject([{ kind: 'knock', isUp: false }]);

  answer = { kind: 'passed' };
  await clock.advance(aRound);
  expect(inTable()?.toSorted()).toEqual(['10.1.0.1', '10.1.0.2']);
});

test('one without a probe says so, and concludes nothing of its server', async () => {
  const clock = new ManualClock();
  const dataplane = new MemoryDataplane();
  dataplane.putAddress({ address: '10.0.0.1' as never, prefixLength: 24, device: 'eth0' });
  expect(checkerOfKind('knock')).toBeDefined();
  director = createDirector(
    { configText: checked('warmup 0') },
    { clock, dataplane, probes: {}, random: () => 0 },
  );
  await director.start();
  await clock.advance(aRound);
  const [server] = (await director.services())[0]?.servers ?? [];
  expect(server).toMatchObject({ isLive: true });
  expect(server?.checkers).toMatchObject([
    { kind: 'knock', lastFailure: 'there is no probe for a checker "knock"' },
  ]);
});
