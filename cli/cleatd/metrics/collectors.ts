import type { ExtensionStatus, Extensions } from '@cleat/extensions/service';
import { Backoff } from '@cleat/protocol/async/backoff';
import { isClass, messageOf } from '@cleat/protocol/errors';
import { setInterval } from '@cleat/protocol/guard';
import { metricsKind } from '@cleat/protocol/kinds/metrics';
import type { Logger } from '@cleat/protocol/log';

export interface CollectorsSettings {
  readonly extensions: Pick<Extensions, 'get' | 'list' | 'names' | 'onChange'>;
  /** Those that the operator wants started with the engine; a manifest's are, too. */
  readonly names: readonly string[];
  /** Serves the page for collectors; called once, before the first of them is started. @returns where */
  readonly serve: () => Promise<string>;
  readonly log: Logger;
}

/** How often one that is wanted and not started is looked for, in ms. Costs a look into a directory. */
const lookMs = 1_000;
/** Before one that was asked and refused is asked again. */
const pauses = { firstMs: 2_000, longestMs: 60_000 };

interface Refusal {
  message: string;
  backoff: Backoff;
  until: number;
}

/**
 * Starts collectors of the engine's metrics whenever they come: collectors that were named are looked for until they
 * are there, and one that becomes active without being named (a managed plugin, or one that is used for another of its
 * kinds) is started then. A collector that comes back is started again, and one that refuses is asked again.
 */
export class Collectors {
  readonly #settings: CollectorsSettings;
  readonly #wanted: ReadonlySet<string>;
  readonly #started = new Set<string>();
  readonly #starting = new Map<string, Promise<void>>();
  readonly #refusals = new Map<string, Refusal>();
  readonly #stopListening: () => void;
  readonly #closing = new AbortController();
  /** Those that were active without being named: a managed one, or one that is used for another of its kinds. */
  readonly #present = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #serving: Promise<string> | undefined;

  constructor(settings: CollectorsSettings) {
    this.#settings = settings;
    const { extensions, names } = settings;
    const managed = extensions
      .list()
      .filter(({ carrier, kinds }) => carrier === 'managed' && kinds.includes(metricsKind.name));
    const others = new Set(managed.map(({ name }) => name));
    this.#wanted = new Set([...names, ...extensions.names(metricsKind).filter((name) => !others.has(name))]);
    this.#stopListening = extensions.onChange((status) => this.#changed(status));
    // Those come and go: they are told of.
    for (const status of managed) this.#changed(status);
    if (this.#wanted.size === 0) return;
    this.#look();
    this.#lookOn();
  }

  /** Tells those that were started that the page goes away. Never fails: a collector may be gone already. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#timer);
    this.#stopListening();
    await Promise.all(this.#starting.values());
    await Promise.all([...this.#started].map((name) => this.#stop(name)));
  }

  #lookOn(): void {
    this.#timer ??= setInterval(() => this.#look(), lookMs).unref();
  }

  #look(): void {
    for (const name of this.#wanted) this.#start(name);
    // The end of a collector that was started is told.
    for (const name of this.#present) if (!this.#started.has(name)) this.#start(name);
  }

  #changed({ name, state, kinds }: ExtensionStatus): void {
    if (!kinds.includes(metricsKind.name)) return;
    if (state !== 'active') {
      this.#started.delete(name);
      this.#present.delete(name);
      return;
    }
    if (!this.#wanted.has(name)) this.#present.add(name);
    this.#start(name);
    this.#lookOn();
  }

  /** One start at a time for each; nothing is done for one that was started and is the same still. */
  #start(name: string): void {
    if (this.#closing.signal.aborted || this.#starting.has(name)) return;
    if (Date.now() < (this.#refusals.get(name)?.until ?? 0)) return;
    const starting = this.#attempt(name).finally(() => this.#starting.delete(name));
    this.#starting.set(name, starting);
  }

  async #attempt(name: string): Promise<void> {
    const { signal } = this.#closing;
    let asked = false;
    try {
      // Activates it if it was replaced, which takes it off the list of those that were started.
      const collector = await this.#settings.extensions.get(metricsKind, name, { signal, impatient: true });
      if (this.#started.has(name)) return;
      this.#serving ??= this.#settings.serve();
      const where = await this.#serving;
      asked = true;
      await collector.StartMetrics({}, { signal, impatient: true });
      this.#started.add(name);
      this.#refusals.delete(name);
      this.#settings.log.info('a metrics collector was started', { extension: name, socket: where });
    } catch (error) {
      if (!signal.aborted) this.#refused(name, error);
      // It may have been started, and its answer not been heard: it is told of the end, too.
      else if (asked) this.#started.add(name);
    }
  }

  #refused(name: string, error: unknown): void {
    const message = messageOf(error);
    const before = this.#refusals.get(name);
    // A collector that is not there is looked for at the usual pace; one that refuses has a reason.
    const absent = isClass(error, 'NotFound') || isClass(error, 'Unavailable');
    const backoff = before?.backoff ?? new Backoff(pauses);
    if (absent) backoff.reset();
    this.#refusals.set(name, { message, backoff, until: absent ? 0 : Date.now() + backoff.next() });
    if (before?.message === message) return;
    this.#settings.log.warn(`a metrics collector is not started yet: ${message}`, { extension: name });
  }

  async #stop(name: string): Promise<void> {
    try {
      const collector = await this.#settings.extensions.get(metricsKind, name, { impatient: true });
      await collector.StopMetrics({}, { impatient: true });
    } catch (error) {
      this.#settings.log.warn(`a metrics collector was not told that the engine stops: ${messageOf(error)}`, {
        extension: name,
      });
    }
  }
}
