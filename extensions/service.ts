import type { Client, Kind } from '@cleat/protocol/kinds/kind';

/**
 * The registry of extensions: the one place where the engine finds an implementation of a kind, whether it runs in
 * this process, in a process of its own, or came as a socket that somebody dropped into a directory.
 */
export interface Extensions {
  /**
   * The extension `name` for `kind`, activated if it was not yet. Lookup order: the manifest and configuration, then
   * discovery (`.sock`, `N/N.sock`, `.spec`, `.json`). A starting one is waited for within the activation back-off.
   * @throws NotFound with the list of known ones, when nothing of that name is known; Unavailable when it does not
   * answer; InvalidParameter when it implements other kinds only.
   */
  get<K extends Kind>(kind: K, name: string, options?: GetOptions): Promise<Client<K>>;

  /** Names for `kind` that are known without asking anybody: configured, discovered, active. For `docker info`. */
  names(kind: Kind): string[];

  /**
   * {@link names}, and those that were discovered and may turn out to be of this kind once activated. For whoever asks
   * all of a kind, as `docker volume ls` does.
   */
  candidates(kind: Kind): string[];

  /** What is known of every extension, without I/O. */
  list(): ExtensionStatus[];

  /** Calls `listener` whenever an extension's state changes (for example to re-create what it lost in a crash). */
  onChange(listener: (status: ExtensionStatus) => void): () => void;

  /** Stops supervision, then the processes and modules it started, in reverse order. */
  close(): Promise<void>;
}

export interface GetOptions {
  signal?: AbortSignal;
  /** Fails at once when nobody is there, instead of waiting for it to come. */
  impatient?: boolean;
}

export type ExtensionState = 'discovered' | 'activating' | 'active' | 'unreachable' | 'disabled';

export interface ExtensionStatus {
  /** The driver's name, as users say it. */
  readonly name: string;
  /** Its entry in the manifest, by which the operator configures it; undefined for a discovered one. */
  readonly entry: string | undefined;
  /** Empty until activated, unless the manifest says. */
  readonly kinds: readonly string[];
  readonly carrier: 'in-process' | 'process' | 'socket';
  /** Where it was found: a manifest entry, a socket path, a URL. */
  readonly origin: string;
  readonly state: ExtensionState;
  /** Why it is in this state, as a sentence; empty when there is nothing to say. */
  readonly reason: string;
  readonly since: Date;
}
