import type { Client, Kind } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import type { Overrides } from './settings.js';
import type { Source } from './source.js';
import type { ExtensionStatus, KeptLine, Provider } from './status.js';

export type {
  CallResult,
  ExtensionFailure,
  ExtensionHealth,
  ExtensionState,
  ExtensionStatus,
  KeptLine,
  Latency,
  MethodStatistics,
  ProcessStatus,
  Provider,
} from './status.js';

/**
 * The registry of extensions: the one place where the engine finds an implementation of a kind, whether it runs in
 * this process, in a process of its own, or came as a socket that somebody dropped into a directory.
 */
export interface Extensions {
  /**
   * The extension `name` for `kind`, activated if it was not yet. Lookup order: the manifest and configuration, those
   * that were registered, then discovery (`.sock`, `N/N.sock`, `.spec`, `.json`). A starting one is waited for within
   * the activation back-off.
   * @throws NotFound with the list of known ones, when nothing of that name is known; Conflict when it is disabled;
   * Unavailable when it does not answer; InvalidParameter when it implements other kinds only.
   */
  get<K extends Kind>(kind: K, name: string, options?: GetOptions): Promise<Client<K>>;

  /** As {@link get}, for who may not have to wait: undefined unless it is activated, and there for all we know. */
  ready<K extends Kind>(kind: K, name: string): Client<K> | undefined;

  /** Names for `kind` that are known without asking anybody: configured, discovered, active. For `docker info`. */
  names(kind: Kind): string[];

  /**
   * {@link names}, and those that were discovered and may turn out to be of this kind once activated. For callers that
   * ask all of a kind, as `docker volume ls` does.
   */
  candidates(kind: Kind): string[];

  /** Tells what is known of every extension, without I/O. */
  list(): ExtensionStatus[];

  /**
   * The latest lines that the engine's log has of an extension, oldest first: what a process of ours printed, what it
   * logged in process, and what the engine said of it. @param extension its entry, or the name of a discovered one
   * @param after only lines with a higher number
   */
  lines(extension: string, after?: number): readonly KeptLine[];

  /** Calls `listener` whenever an extension's state changes (for example to re-create what it lost in a crash). */
  onChange(listener: (status: ExtensionStatus) => void): () => void;

  /**
   * Waits, as long as it takes, until the extension `name` of that kind (its capability name) answers. What changes in
   * the plugin directories is noticed at once; who waits for whom is shown in {@link list}.
   * @throws the signal's reason
   */
  arrival(kind: string, name: string, options: ArrivalOptions): Promise<void>;

  /**
   * Adds an extension while the engine runs, and starts it once all that it needs answers. Does not wait for that.
   * @throws Conflict for a name that an entry of the manifest or a registered one has; InvalidParameter for extensions
   * that would wait for each other
   */
  register(extension: Registration): Registered;

  /**
   * Makes a name known that nobody is to use now: looking it up says "plugin NAME found but disabled". A
   * registered extension of the same name comes first. @returns what makes it unknown again
   */
  setUnavailable(extension: Unavailable): () => void;

  /** The name that an extension of that kind (its capability name) is known by, if `name` is another one for it. */
  nameOf(kind: string, name: string): string;

  /**
   * Takes what the operator wants of the manifest's entries now, while the engine runs: each is started, stopped or
   * replaced as far as that differs. @returns what was done, as sentences
   * @throws InvalidParameter for settings that are wrong, with nothing changed
   */
  reconfigure(overrides: Overrides): Promise<string[]>;

  /** Those that need the registered extension, and so cannot do without it; by their entries or names. */
  dependents(name: string): string[];

  /** A logger that writes to the engine's log under an extension's name; {@link lines} has what it writes. */
  logger(extension: string): Logger;
  /** One for what an engine before this one has logged already: {@link lines} has that, too, as of then. */
  earlierLogger(extension: string, at: Date): Logger;

  /**
   * How to find out what container an extension runs in, by its address. Set once by the wiring, and not given at
   * construction: the rooms that know containers and their addresses are opened on this registry, so it is there first.
   * Until then no extension has a container, and none is asked: the API is not served yet.
   */
  setProviders(providers: Providers): void;

  /** Stops supervision, then the processes and modules it started, in reverse order. */
  close(): Promise<void>;
}

/** An extension that may not be used now, and why. */
export interface Unavailable {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly kinds: readonly string[];
  /** For people. */
  readonly origin: string;
  /** For people, such as `disabled by the user`. */
  readonly reason: string;
}

/** An extension that is added while the engine runs. */
export interface Registration {
  /** As users see it: `vieux/sshfs:latest`. */
  readonly name: string;
  /** Also found by these. */
  readonly aliases: readonly string[];
  /** Capability names that it promises; its activation must bring at least these. */
  readonly kinds: readonly string[];
  /** For people: where it comes from. */
  readonly origin: string;
  readonly source: Source;
  /** It is started once these answer: kinds, entries of the manifest, or names and aliases of registered ones. */
  readonly needs?: readonly string[];
  /** It is started once these answer or have failed to, where they are there. */
  readonly after?: readonly string[];
  /** In ms by `Kind.Method`, `Method` or `*`. */
  readonly deadlines?: Readonly<Record<string, number>>;
}

export interface Registered {
  readonly status: ExtensionStatus;

  /** Waits until it answers. @throws Unavailable, DeadlineExceeded; the signal's reason */
  activated(options?: GetOptions): Promise<void>;

  /**
   * Puts another one in its place, under the same name: calls wait meanwhile, those under way have `drainMs` to end (ten
   * seconds), the old source is closed, and the new one is started. Clients, statistics and the breaker stay.
   * @throws what {@link Extensions.register} throws, and Conflict when it was removed or replaced again meanwhile;
   * then `next` was not started
   */
  replace(next: Registration, options?: { readonly drainMs?: number }): Promise<void>;

  /** Nobody finds it any longer; calls under way end with `reason`; then its source is closed. */
  remove(reason: string): Promise<void>;
}

export interface GetOptions {
  signal?: AbortSignal;
  /** Fails at once when nobody is there, instead of waiting for it to come. */
  impatient?: boolean;
}

export interface Providers {
  /** @param address `unix:///path` or `tcp://host:port` */
  at(address: string): Provider | undefined;
  /** Only the extension with this ID, if it still runs. */
  find(id: string): Provider | undefined;
}

export interface ArrivalOptions {
  signal: AbortSignal;
  /** Those who wait, in words for people: `container web`. */
  by: string;
  /** Called with the reason why it is not there, and again when that changes. */
  onReason?: (reason: string) => void;
}
