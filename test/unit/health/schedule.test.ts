// The heap of deadlines against a slow model: a map that is searched.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Schedule } from '../../../src/health/schedule.js';
import type { Micros } from '../../../src/model/units.js';

const item = fc.integer({ min: 0, max: 20 });
const time = fc.integer({ min: 0, max: 50 });
const command = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), item, time }),
  fc.record({ kind: fc.constant('clear' as const), item }),
  fc.record({ kind: fc.constant('take' as const), time }),
);

test('the heap takes what is due, the earliest first, as a searched map does', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
      const schedule = new Schedule<number>();
      const model = new Map<number, number>();
      for (const step of commands) {
        if (step.kind === 'set') {
          schedule.set(step.item, step.time as Micros);
          model.set(step.item, step.time);
        } else if (step.kind === 'clear') {
          schedule.set(step.item, undefined);
          model.delete(step.item);
        } else {
          const earliest = Math.min(...model.values());
          const taken = schedule.takeDue(step.time as Micros);
          if (earliest > step.time || model.size === 0) expect(taken).toBeUndefined();
          else {
            expect(model.get(taken as number)).toBe(earliest);
            model.delete(taken as number);
          }
        }
        expect(schedule.size).toBe(model.size);
        expect(schedule.next()).toBe(model.size === 0 ? undefined : Math.min(...model.values()));
      }
    }),
    { numRuns: 500 },
  );
});
