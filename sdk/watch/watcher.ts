import { conflict, invalidParameter } from '@cleat/protocol/errors';
import { setInterval } from '@cleat/protocol/guard';
import { silentLogger } from '@cleat/protocol/log';
import { type Engine, isHopeless } from './engine.js';
import { events, type Filters } from './events.js';
import { type Inspected, type ObjectKind, type Objects, objectKinds, type Row } from './kinds.js';
import { likeness } from './likeness.js';
import { Lists } from './lists.js';
import type { EngineEvent } from './message.js';
import { Outage, type OutageLog } from './outage.js';
import { type ListLook, type ObjectLook, Outdated } from './outdated.js';
import { type Picture, SavedPicture, type Seen } from './picture.js';

export interface WatchOptions {
  /** `true`, or filters as in `docker ps --filter`. Containers of any state. */
  containers?: true | Filters;
  images?: true | Filters;
  networks?: true | Filters;
  volumes?: true | Filters;
  /** Ask for each object by its ID as well, for all that the list does not say. Default false. */
  inspect?: boolean;
  /**
   * A file to keep the picture in: a later process is told what came, changed and went in between. A change whose
   * consumer did not come back for the next one is told again.
   */
  state?: string;
  /** Ends the iteration, without an error. */
  signal?: AbortSignal;
  /** Told of outages, once each; `console` will do. */
  log?: OutageLog;
  /** How often everything is listed without a reason, in ms, for what an engine did not tell; default 5 minutes. */
  relistMs?: number;
}

/** How an object differs from what was known of it. */
interface ChangeOf<K extends ObjectKind> {
  readonly type: 'added' | 'changed' | 'removed';
  readonly kind: K;
  /** For a volume, its name. */
  readonly id: string;
  /** As it is now; of one that was removed, as it was last seen. */
  readonly object: Objects[K];
  /** With `inspect`. */
  readonly inspect?: Inspected[K];
  /** As it was, of one that changed. */
  readonly before?: Objects[K];
  /** The latest event that led to this; none when a list did. */
  readonly event?: EngineEvent;
}

export type Change =
  | { [K in ObjectKind]: ChangeOf<K> }[ObjectKind]
  /** All that there is has been told: after the start, after each connection, and every `relistMs`. */
  | { readonly type: 'synced' };

/** Changes, to be iterated once; then everything is let go of. */
export interface Watch extends AsyncIterable<Change> {
  /** All that is known, up to the change that is being dealt with. */
  readonly picture: Picture;
}

/**
 * Tells what is there in an engine, and every difference from then on: first everything as `added` (with `state`: what
 * differs from what was saved), then `synced`, then changes as they come. The engine is listed whenever events may be
 * missing, so that the picture is right in the end, whatever happened to the engine, the connection or the consumer.
 * The picture misses an object that came and went before it could be looked at; `events` tells of it.
 * @throws InvalidParameter at once when nothing is asked for; while it is iterated, what `events` throws
 */
export function watch(engine: Engine, options: WatchOptions): Watch {
  const asked = { container: options.containers, image: options.images, network: options.networks };
  const filters = new Map<ObjectKind, Filters>();
  for (const [kind, given] of Object.entries({ ...asked, volume: options.volumes } satisfies Record<
    ObjectKind,
    unknown
  >)) {
    if (given) filters.set(kind as ObjectKind, given === true ? {} : given);
  }
  if (filters.size === 0) throw invalidParameter('say what to watch: containers, images, networks or volumes');
  return new Watcher(engine, filters, options);
}

class Watcher implements Watch {
  readonly #engine: Engine;
  readonly #kinds: readonly ObjectKind[];
  readonly #options: WatchOptions;
  readonly #log: OutageLog;
  readonly #stop = new AbortController();
  readonly #lists: Lists;
  readonly #outdated: Outdated;
  readonly #picture: SavedPicture;
  #newest = 0n;
  #unsynced = true;
  #iterated = false;
  #failure: { error: unknown } | undefined;

  constructor(engine: Engine, filters: ReadonlyMap<ObjectKind, Filters>, options: WatchOptions) {
    this.#engine = engine;
    this.#kinds = [...filters.keys()];
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#lists = new Lists(engine, filters, this.#stop.signal);
    this.#outdated = new Outdated(this.#kinds);
    this.#picture = new SavedPicture(options.state, this.#log);
  }

  get picture(): Picture {
    // Rows are of their kind's type: the engine's API says so, and they are handed on as they came.
    return this.#picture.seen as unknown as Picture;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Change> {
    if (this.#iterated) throw conflict('a watch can be iterated once: call watch again');
    this.#iterated = true;
    const stop = () => {
      this.#stop.abort();
      this.#outdated.wake();
    };
    const { signal, relistMs = 300_000 } = this.#options;
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    const relisting = setInterval(() => this.#everything(), relistMs);
    const following = this.#follow();
    try {
      yield* this.#changes();
    } finally {
      signal?.removeEventListener('abort', stop);
      clearInterval(relisting);
      stop();
      await following;
      this.#outdated.close();
      this.#picture.close();
    }
  }

  /** Takes note of events, never waiting for the consumer. */
  async #follow(): Promise<void> {
    const signal = this.#stop.signal;
    const types = new Set<string>([...this.#kinds, ...(this.#kinds.includes('container') ? ['network'] : [])]);
    const filters = { type: [...types] };
    try {
      for await (const item of events(this.#engine, { filters, signal, log: this.#log, since: this.#picture.newest })) {
        if (item.type === 'event') this.#note(item.event);
        // Otherwise the events tell all that happened meanwhile.
        else if (!item.resumed) this.#everything();
      }
    } catch (error) {
      this.#failure = { error };
      this.#outdated.wake();
    }
  }

  #everything(): void {
    this.#unsynced = true;
    this.#outdated.everything();
  }

  #note(event: EngineEvent): void {
    const { Type, Action, Actor } = event;
    if (event.timeNano > this.#newest) this.#newest = event.timeNano;
    const kind = this.#kinds.find((one) => one === Type);
    const [action = ''] = Action.split(':');
    if (kind && !objectKinds[kind].quiet.includes(action)) {
      if (Actor.ID !== '' && this.#lists.narrows(kind)) this.#outdated.object(kind, Actor.ID, event);
      else this.#outdated.list(kind, event);
    }
    // The addresses of a container are told as its network's news.
    const { container } = Actor.Attributes;
    if (Type !== 'network' || !container || !this.#kinds.includes('container')) return;
    if (this.#lists.narrows('container')) this.#outdated.object('container', container, event);
    else this.#outdated.list('container');
  }

  async *#changes(): AsyncGenerator<Change> {
    const signal = this.#stop.signal;
    const outage = new Outage(this.#log, signal);
    while (!signal.aborted) {
      if (this.#failure) throw this.#failure.error;
      const reached = this.#newest;
      const look = this.#outdated.take();
      if (look === undefined) {
        this.#picture.reached(reached);
        await this.#outdated.more();
        continue;
      }
      try {
        yield* this.#look(look);
        outage.succeeded();
      } catch (error) {
        if (signal.aborted) return;
        if (isHopeless(error)) throw error;
        this.#everything();
        await outage.wait(error);
        continue;
      }
      if (!this.#unsynced || this.#outdated.hasLists) continue;
      this.#unsynced = false;
      yield { type: 'synced' };
    }
  }

  async *#look(look: ObjectLook | ListLook): AsyncGenerator<Change> {
    if ('events' in look) return yield* this.#list(look.kind, look.events);
    const { kind, id, event } = look;
    const found = await this.#lists.one(kind, id);
    this.#outdated.settle(look);
    yield* this.#compare(kind, id, found, event);
  }

  async *#list(kind: ObjectKind, told: ReadonlyMap<string, EngineEvent>): AsyncGenerator<Change> {
    const found = await this.#lists.all(kind);
    // Events came while the list was made, above all those that the engine tells again.
    const event = (id: string) => this.#outdated.eventOf(kind, id) ?? told.get(id);
    const gone = [...this.#picture.seen[kind].keys()].filter((id) => !found.has(id));
    for (const id of gone) yield* this.#compare(kind, id, undefined, event(id));
    for (const [id, object] of found) yield* this.#compare(kind, id, object, event(id));
  }

  /** @param object as it is now; undefined: it is not there */
  async *#compare(kind: ObjectKind, id: string, object: Row | undefined, event?: EngineEvent): AsyncGenerator<Change> {
    const inspect = object && this.#options.inspect ? await this.#lists.inspect(kind, id) : undefined;
    const before = this.#picture.seen[kind].get(id);
    const isThere = object !== undefined && (inspect !== undefined || !this.#options.inspect);
    if (!isThere) {
      if (before === undefined) return;
      this.#picture.seen[kind].delete(id);
      yield* this.#tell('removed', kind, id, before, undefined, event);
      return;
    }
    const now: Seen = { object, inspect, likeness: likeness(kind, object, inspect) };
    if (now.likeness === before?.likeness) return;
    this.#picture.seen[kind].set(id, now);
    yield* this.#tell(before ? 'changed' : 'added', kind, id, now, before?.object, event);
  }

  *#tell(
    type: 'added' | 'changed' | 'removed',
    kind: ObjectKind,
    id: string,
    { object, inspect }: Seen,
    before: Row | undefined,
    event: EngineEvent | undefined,
  ): Generator<Change> {
    // As for the picture: a row is of its kind's type.
    yield { type, kind, id, object, inspect, before, event } as unknown as Change;
    this.#picture.save(kind, id);
  }
}
