import { setImmediate as turn } from 'node:timers/promises';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { emptyRegistry, FakeSource } from './fakes.fixture.js';
import type { Registered } from './service.js';

/** Extensions come, go, are exchanged, called and closed in any order: one at a time, and nothing is left. */

afterEach(() => vi.useRealTimers());

const names = ['a', 'b', 'c'];
const action = fc.record({
  what: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom('register', 'replace', 'remove', 'call', 'turn', 'lose', 'disable') },
    { weight: 1, arbitrary: fc.constant('close') },
  ),
  name: fc.constantFrom(...names),
  /** Which source, if one is needed. */
  kind: fc.constantFrom('fine', 'absent', 'liar', 'hangs', 'slow to end', 'fails to end'),
  needs: fc.oneof({ weight: 3, arbitrary: fc.constant<string[]>([]) }, fc.subarray(names, { maxLength: 1 })),
});

/** Fails when two sources of one name live at a time. */
class Tracked extends FakeSource {
  readonly #living: Map<string, Tracked>;
  readonly #name: string;
  readonly listeners = new Set<() => void>();

  constructor(living: Map<string, Tracked>, name: string, kind: string) {
    super(kind === 'hangs' ? () => new Promise(() => {}) : undefined, kind === 'liar' ? [] : ['VolumeDriver']);
    this.#living = living;
    this.#name = name;
    this.absent = kind === 'absent';
    this.ending = kind;
  }
  readonly ending: string;

  override start(ready: (signal: AbortSignal) => Promise<void>): void {
    expect(this.#living.has(this.#name)).toBe(false);
    this.#living.set(this.#name, this);
    super.start(ready);
  }

  watch(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  override async close(): Promise<void> {
    await super.close();
    if (this.ending === 'slow to end') for (let n = 0; n < 3; n++) await turn();
    expect(this.#living.get(this.#name)).toBe(this);
    this.#living.delete(this.#name);
    if (this.ending === 'fails to end') throw new Error('it hangs');
  }
}

test('after any sequence nothing is left', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 40 }), async (actions) => {
      const extensions = emptyRegistry();
      const living = new Map<string, Tracked>();
      const sources: Tracked[] = [];
      const handles: Registered[] = [];
      const lifts: (() => void)[] = [];
      const pending: Promise<unknown>[] = [];
      const make = ({ name, kind, needs }: { name: string; kind: string; needs: string[] }) => {
        const source = new Tracked(living, name, kind);
        sources.push(source);
        const aliases = [`${name}:latest`];
        return { name, aliases, kinds: ['VolumeDriver'], origin: '', source, needs, deadlines: { '*': 1_000 } };
      };
      const heard = new Map<string, string>();
      extensions.onChange(({ name, state }) => heard.set(name, state));
      for (const one of actions) {
        const handle = handles.findLast(({ status }) => status.name === one.name);
        try {
          if (one.what === 'register') handles.push(extensions.register(make(one)));
          else if (one.what === 'replace') pending.push(handle?.replace(make(one), { drainMs: 50 }) ?? turn());
          else if (one.what === 'remove') pending.push(handle?.remove('away') ?? turn());
          else if (one.what === 'call') {
            pending.push(extensions.get(volumeKind, one.name).then((client) => client.Path({ Name: 'v' })));
          } else if (one.what === 'turn') await Promise.all([turn(), vi.advanceTimersByTimeAsync(100)]);
          else if (one.what === 'lose')
            for (const source of sources) for (const listener of source.listeners) listener();
          else if (one.what === 'disable') lifts.push(extensions.setUnavailable({ ...make(one), reason: 'off' }));
          else pending.push(extensions.close());
        } catch (error) {
          // Refused: that name is taken, they would wait for each other, or the engine shuts down.
          expect(error).toMatchObject({ class: expect.stringMatching(/^(Conflict|InvalidParameter|Unavailable)$/) });
        }
        for (const promise of pending) promise.catch(() => {});
      }
      for (const lift of lifts) lift();
      // No time passes: nothing of this may wait for a timer.
      await Promise.allSettled(handles.map((handle) => handle.remove('away')));
      expect(extensions.list()).toEqual([]);
      for (const state of heard.values()) expect(state).toBe('disabled');
      await extensions.close();
      await Promise.allSettled(pending);
      for (const source of sources) {
        expect(source.closed).toBe(source.started);
        expect(source.open).toBe(0);
        expect(source.listeners.size).toBe(0);
      }
      expect(living.size).toBe(0);
      expect(vi.getTimerCount()).toBe(0);
    }),
    { numRuns: 300 },
  );
});
