import type { ExtensionStatus, Extensions } from '@cleat/extensions/service';
import { conflict, deadlineExceeded, notFound, systemError, unavailable } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { memoryStore } from '../store/memory.fixture.js';
import type { Collection, Store } from '../store/service.js';
import { openOutbox } from './index.js';
import type { Message, Outbox, Outcome, Queue, Rules } from './service.js';

interface Call {
  say: string;
}

let store: ReturnType<typeof memoryStore>;
let outbox: Outbox;
let queue: Queue<Call>;
let said: string[];
let settled: string[];
let diskIsFull: boolean;
/** The extension's answer; undefined: it is content. */
let answer: ((text: string) => Promise<unknown>) | undefined;
let listeners: Parameters<Extensions['onChange']>[0][];

function open(rules: Partial<Rules<Call>> = {}): void {
  listeners = [];
  const extensions = {
    onChange: (listener: (status: ExtensionStatus) => void) => {
      listeners.push(listener);
      return () => {};
    },
  };
  const failing: Pick<Store, 'collection'> = {
    collection<T extends object>(name: string): Collection<T> {
      const all = store.collection<T>(name);
      const put = (key: string, value: T) => {
        if (diskIsFull) throw systemError('no space left on device');
        all.put(key, value);
      };
      const remove = (key: string) => {
        if (diskIsFull) throw systemError('no space left on device');
        all.delete(key);
      };
      return { ...all, put, delete: remove };
    },
  };
  outbox = openOutbox({ store: failing, extensions, log: silentLogger });
  queue = outbox.queue<Call>('test', {
    attempts: 3,
    call: async (extension, { say }) => {
      said.push(`${extension}: ${say}`);
      await answer?.(say);
    },
    onSettled: ({ id }, { state }) => settled.push(`${id} ${state}`),
    ...rules,
  });
}

const message = (id: string, ...calls: string[]): Message<Call> => ({
  id,
  extension: 'p',
  about: `what ${id} is about`,
  calls: (calls.length > 0 ? calls : [id]).map((say) => ({ say })),
});
const fails = (error: Error) => async () => {
  throw error;
};
const pending = () => queue.list().map(({ id, reason }) => `${id}: ${reason}`);

beforeEach(() => {
  vi.useFakeTimers();
  store = memoryStore();
  diskIsFull = false;
  said = [];
  settled = [];
  answer = undefined;
  open();
  outbox.start();
});
afterEach(() => {
  outbox.close();
  vi.useRealTimers();
});

test('a message that arrives leaves nothing behind', async () => {
  expect(await queue.send(message('a', 'one', 'two'))).toEqual({ state: 'done', unknown: false });
  expect(said).toEqual(['p: one', 'p: two']);
  expect(settled).toEqual(['a done']);
  expect(queue.list()).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('calls that the former engine left wait until all rooms are open', async () => {
  queue.postpone(message('a'), 'nobody there');
  outbox.close();
  open();
  for (const listener of listeners) listener({ name: 'p', state: 'active' } as ExtensionStatus);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(said).toEqual([]);
  outbox.start();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(said).toEqual(['p: a']);
});

test('an extension that is away is told with growing pauses, as often as it takes, and only what it has not heard', async () => {
  answer = async (text) => {
    if (text !== 'one') throw unavailable('nobody there');
  };
  expect(await queue.send(message('a', 'one', 'two'))).toEqual({ state: 'pending', reason: 'nobody there' });
  expect(queue.list()).toMatchObject([{ calls: [{ say: 'two' }], refusals: 0 }]);
  for (const ms of [1_000, 2_000, 4_000, 8_000, 15_000, 15_000]) {
    said.length = 0;
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect(said).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(said).toEqual(['p: two']);
  }
  answer = undefined;
  await vi.advanceTimersByTimeAsync(15_000);
  expect(queue.list()).toEqual([]);
  expect(settled).toEqual(['a done']);
  expect(vi.getTimerCount()).toBe(0);
});

test('a message that cannot be put on record is tried again, and nobody is thrown at', async () => {
  answer = fails(unavailable('nobody there'));
  await queue.send(message('a'));
  diskIsFull = true;
  await vi.advanceTimersByTimeAsync(1_000);
  for (const listener of listeners) listener({ name: 'p', state: 'active' } as ExtensionStatus);
  await vi.advanceTimersByTimeAsync(2_000);
  diskIsFull = false;
  answer = undefined;
  await vi.advanceTimersByTimeAsync(15_000);
  expect(queue.list()).toEqual([]);
  expect(settled).toEqual(['a done']);
});

test('a message that a full disk refuses is told all the same, and is on disk as soon as there is room', async () => {
  answer = fails(unavailable('nobody there'));
  diskIsFull = true;
  expect(await queue.send(message('a', 'one', 'two'))).toMatchObject({ state: 'pending' });
  queue.postpone(message('b'), 'it does not answer');
  expect(() => queue.note([message('c')])).toThrow('no space left on device');
  expect(pending()).toEqual(['a: nobody there', 'b: it does not answer']);
  expect(store.collection('outbox').entries()).toEqual([]);
  diskIsFull = false;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(store.collection('outbox').entries()).toHaveLength(2);

  // Deleting needs room, too: what was told must not be told again meanwhile.
  answer = undefined;
  said.length = 0;
  diskIsFull = true;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(said).toEqual(['p: one', 'p: two', 'p: b']);
  expect(settled).toEqual(['a done', 'b done']);
  expect(queue.list()).toEqual([]);
  expect(store.collection('outbox').entries()).toHaveLength(2);
  diskIsFull = false;
  await queue.settle('p');
  expect(store.collection('outbox').entries()).toEqual([]);
});

test('a thousand at most wait in memory for room on the disk; more is an error of the caller', () => {
  diskIsFull = true;
  for (let number = 0; number < 1_000; number++) queue.postpone(message(`${number}`), 'nobody there');
  expect(() => queue.postpone(message('more'), 'nobody there')).toThrow('no space left on device');
  queue.postpone(message('7'), 'still nobody there');
  expect(queue.list()).toHaveLength(1_000);
});

test('it is told at once when it is back, and by the next engine', async () => {
  answer = fails(unavailable('nobody there'));
  await queue.send(message('a'));
  for (const listener of listeners) listener({ name: 'other', state: 'active' } as ExtensionStatus);
  for (const listener of listeners) listener({ name: 'p', state: 'active' } as ExtensionStatus);
  await vi.advanceTimersByTimeAsync(0);
  expect(said).toEqual(['p: a', 'p: a']);
  outbox.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(said).toHaveLength(2);

  answer = undefined;
  open();
  outbox.start();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(said).toHaveLength(3);
  expect(queue.list()).toEqual([]);
});

test('an extension that hangs holds nobody up, and is not asked twice at once', async () => {
  let end = () => {};
  answer = () => new Promise<void>((resolve) => (end = resolve));
  const sent = queue.send(message('a'));
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await sent).toEqual({ state: 'pending', reason: 'it does not answer' });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(said).toEqual(['p: a']);
  end();
  await vi.advanceTimersByTimeAsync(0);
  expect(queue.list()).toEqual([]);
});

test('a refusal is an outcome: final after as many as the rules say, and nobody is thrown at', async () => {
  answer = fails(conflict('busy'));
  expect(await queue.send(message('a', 'one', 'two'))).toEqual({ state: 'pending', reason: 'busy' });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(queue.list()).toMatchObject([{ id: 'a', refusals: 2 }]);
  answer = async (text) => {
    if (text === 'one') throw conflict('busy');
  };
  await vi.advanceTimersByTimeAsync(2_000);
  // The call is given up, those that follow are made.
  expect(said).toEqual(['p: one', 'p: one', 'p: one', 'p: two']);
  expect(settled).toEqual(['a refused']);
  expect(queue.list()).toEqual([]);

  open({ attempts: 1 });
  outbox.start();
  const outcome: Outcome = await queue.send(message('b', 'one'));
  expect(outcome).toMatchObject({ state: 'refused', error: { message: 'busy' } });
});

test('an extension that knows nothing of it is as good as told', async () => {
  answer = fails(notFound('no such thing'));
  expect(await queue.send(message('a'))).toEqual({ state: 'done', unknown: true });
  expect(queue.list()).toEqual([]);
});

test('messages of one extension come in their order; the first that is pending stops those behind it', async () => {
  answer = fails(deadlineExceeded('late'));
  for (const id of ['a', 'b']) await queue.send(message(id));
  said.length = 0;
  await queue.settle('p');
  expect(said).toEqual(['p: a']);
  expect(pending()).toEqual(['a: late', 'b: late']);
  answer = undefined;
  said.length = 0;
  await queue.settle('p');
  expect(said).toEqual(['p: a', 'p: b']);
});

test('independent ones do not wait for each other', async () => {
  open({ independent: true });
  outbox.start();
  answer = async (text) => {
    if (text === 'a') await new Promise(() => {});
  };
  for (const id of ['a', 'b']) queue.postpone(message(id), 'the engine was killed');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(pending()).toEqual(['a: the engine was killed']);
  expect(settled).toEqual(['b done']);
});

test('a message that must come before is sent first, and else holds the call up', async () => {
  open({ comesBefore: (other, call) => call.say === 'whole' && other.id === 'part' });
  outbox.start();
  answer = fails(unavailable('nobody there'));
  await queue.send(message('part'));
  expect(await queue.send(message('whole'))).toEqual({
    state: 'pending',
    reason: 'what part is about goes back first: nobody there',
  });
  answer = undefined;
  said.length = 0;
  expect(await queue.send(message('whole'))).toMatchObject({ state: 'done' });
  expect(said).toEqual(['p: part', 'p: whole']);
});

test('a moot call is not made; a cancelled message does not come back', async () => {
  open({ isMoot: (_, { say }) => say === 'taken again' });
  outbox.start();
  await queue.send(message('a', 'taken again', 'other'));
  expect(said).toEqual(['p: other']);

  let fail: (error: Error) => void = () => {};
  answer = () => new Promise((_, reject) => (fail = reject));
  const sent = queue.send(message('b'));
  await vi.advanceTimersByTimeAsync(0);
  const cancelled = queue.cancel('b');
  fail(unavailable('nobody there'));
  await Promise.all([sent, cancelled]);
  expect(queue.list()).toEqual([]);
});

test('a message that was noted before it was sent is there for the next engine', async () => {
  queue.note([message('a'), { ...message('b'), calls: [] }]);
  expect(queue.list().map(({ id }) => id)).toEqual(['a']);
  outbox.close();
  open();
  outbox.start();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(said).toEqual(['p: a']);
});
