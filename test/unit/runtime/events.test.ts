// Events for listeners: bounded, the oldest dropped with a count, ended by a stop or by leaving the loop.

import { expect, test } from 'vitest';
import { type DirectorEvent, EventStream } from '../../../src/runtime/events.js';

const event = (generation: number): DirectorEvent => ({ kind: 'published', generation });

async function readAll(events: AsyncIterable<DirectorEvent>): Promise<DirectorEvent[]> {
  const all: DirectorEvent[] = [];
  for await (const one of events) all.push(one);
  return all;
}

test('each listener gets every event from when it listens on, then the end', async () => {
  const stream = new EventStream();
  const early = stream.listen();
  stream.emit(event(1));
  const late = stream.listen();
  stream.emit(event(2));
  stream.close();
  expect(await readAll(early)).toEqual([event(1), event(2)]);
  expect(await readAll(late)).toEqual([event(2)]);
  expect(await readAll(stream.listen())).toEqual([]);
});

test('a slow reader loses the oldest, and learns how many', async () => {
  const stream = new EventStream();
  const slow = stream.listen(3);
  for (let i = 1; i <= 10; i++) stream.emit(event(i));
  stream.close();
  expect(await readAll(slow)).toEqual([{ kind: 'dropped', count: 7 }, event(8), event(9), event(10)]);
});

test('who waits gets the next event at once', async () => {
  const stream = new EventStream();
  const listener = stream.listen();
  const [first, second] = [listener.next(), listener.next()];
  stream.emit(event(1));
  stream.close();
  expect(await first).toEqual({ value: event(1), done: false });
  expect(await second).toEqual({ value: undefined, done: true });
});

test('who leaves the loop gets nothing more', async () => {
  const stream = new EventStream();
  const listener = stream.listen();
  stream.emit(event(1));
  stream.emit(event(2));
  for await (const one of listener) {
    expect(one).toEqual(event(1));
    break;
  }
  stream.emit(event(3));
  expect(await listener.next()).toEqual({ value: undefined, done: true });
});
