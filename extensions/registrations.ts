import { conflict, unavailable } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { Attachment } from './backing.js';
import type { Dependencies, Member } from './dependencies.js';
import { Extension } from './extension.js';
import type { Registered, Registration, Unavailable } from './service.js';
import { type ExtensionStatus, idle } from './status.js';

/** How long calls under way have to end when an extension is replaced, in ms, unless the caller says. */
const drainMs = 10_000;

/** Extensions that were removed, and whose statistics and clients are kept for when they come back. */
const maxFormer = 64;

export interface RegistrationsSettings {
  /** The entry of the manifest whose driver has that name. */
  takenBy: (name: string) => string | undefined;
  dependencies: Dependencies;
  log: (name: string) => Logger;
  onChange: (status: ExtensionStatus) => void;
}

interface Known extends Member {
  /** The same for a registration and those that replaced it. */
  readonly handle: object;
}

/** Extensions that come and go while the engine runs, and names that are known and not to be used. */
export class Registrations {
  readonly #settings: RegistrationsSettings;
  /** By name. */
  readonly #known = new Map<string, Known>();
  /** By name, the one that was removed last at the end. */
  readonly #former = new Map<string, Extension>();
  readonly #unavailable = new Map<Unavailable, Date>();
  /** Under way; they do not reject. */
  readonly #removals = new Set<Promise<void>>();
  #closed = false;

  constructor(settings: RegistrationsSettings) {
    this.#settings = settings;
  }

  get members(): readonly Member[] {
    return [...this.#known.values()];
  }

  get extensions(): Extension[] {
    return this.members.map(({ extension }) => extension);
  }

  find(name: string): Extension | undefined {
    return this.#having(name)?.extension;
  }

  /** The extension of that name, if it is known and not to be used now. */
  findUnavailable(name: string): Unavailable | undefined {
    for (const one of this.#unavailable.keys()) if (namesOf(one).includes(name)) return one;
    return undefined;
  }

  /** The status of each that is not to be used now. */
  unavailable(): ExtensionStatus[] {
    return [...this.#unavailable]
      .filter(([{ name }]) => !this.#known.has(name))
      .map(([{ name, aliases, kinds, origin, reason }, since]) => ({
        ...(this.#former.get(name)?.status ?? idle),
        ...{ name, aliases, entry: undefined, kinds, carrier: 'managed', origin, state: 'disabled', reason, since },
      }));
  }

  /** As {@link Extensions.register}. */
  register(registration: Registration): Registered {
    if (this.#closed) throw unavailable('no extension can be added: the engine shuts down');
    const { name } = registration;
    const handle = {};
    const extension = this.#former.get(name) ?? this.#create(registration);
    this.#put(registration, extension, handle);
    this.#former.delete(name);
    extension.attach(this.#attachment(registration, extension));
    return {
      get status() {
        return extension.status;
      },
      activated: (options) => extension.activated(options),
      replace: async (next, options) => {
        if (this.#known.get(name)?.handle !== handle) throw conflict(`extension ${name} was removed`);
        if (next.name !== name) throw conflict(`extension ${name} cannot be replaced by ${next.name}`);
        this.#put(next, extension, handle);
        await extension.replace(this.#attachment(next, extension), options?.drainMs ?? drainMs);
      },
      remove: async (reason) => {
        // It may have been added again meanwhile, by somebody else.
        if (this.#known.get(name)?.handle === handle) await this.#remove(extension, reason);
      },
    };
  }

  /** As {@link Extensions.setUnavailable}. */
  setUnavailable(extension: Unavailable): () => void {
    this.#unavailable.set(extension, new Date());
    return () => this.#unavailable.delete(extension);
  }

  /** From now on nothing can be added. Waits for those that are being removed; those that are there are their owner's. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#removals);
  }

  #having(name: string): Known | undefined {
    const known = this.#known.get(name);
    if (known) return known;
    for (const one of this.#known.values()) if (one.names.includes(name)) return one;
    return undefined;
  }

  /** @throws Conflict, InvalidParameter; then nothing has changed */
  #put(registration: Registration, extension: Extension, handle: object): void {
    const { name, kinds, needs = [], after = [] } = registration;
    const names = namesOf(registration);
    for (const one of names) {
      const entry = this.#settings.takenBy(one);
      if (entry !== undefined) {
        throw conflict(
          `plugin ${name} cannot be used: "${one}" is the name of extension ${entry}; give it another name`,
        );
      }
      const other = this.#having(one);
      if (other && other.handle !== handle) throw conflict(`plugin ${other.extension.name} is there already`);
    }
    const known: Known = { extension, handle, names, kinds, needs, after };
    this.#settings.dependencies.refuseCycles(known);
    this.#known.set(name, known);
  }

  #create({ name, aliases, kinds, origin, deadlines = {} }: Registration): Extension {
    const { log, onChange } = this.#settings;
    const facts = { carrier: 'managed', aliases, kinds, origin, deadlines } as const;
    return new Extension({ name, entry: undefined, log: log(name), onChange }, facts, 'it was not added yet');
  }

  #attachment({ aliases, kinds, origin, source, deadlines = {} }: Registration, { name }: Extension): Attachment {
    const { dependencies } = this.#settings;
    const member = () => this.#known.get(name);
    return {
      carrier: 'managed',
      aliases,
      kinds,
      origin,
      source,
      deadlines,
      strict: true,
      kept: true,
      prerequisites: () => {
        const known = member();
        return known && dependencies.prerequisites(known);
      },
      ready: async (signal) => {
        const known = member();
        if (known) await dependencies.ready(known, signal);
      },
    };
  }

  async #remove(extension: Extension, reason: string): Promise<void> {
    const { name } = extension;
    this.#known.delete(name);
    this.#former.set(name, extension);
    const [oldest] = this.#former.keys();
    if (this.#former.size > maxFormer && oldest !== undefined) this.#former.delete(oldest);
    const removed = extension.detach(reason);
    // The caller hears of a failure.
    const over = removed.catch(() => {}).then(() => void this.#removals.delete(over));
    this.#removals.add(over);
    await removed;
  }
}

function namesOf({ name, aliases }: { name: string; aliases: readonly string[] }): string[] {
  return [...new Set([name, ...aliases])];
}
