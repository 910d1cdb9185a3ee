import type { Wish } from '../labels/wish.js';
import type { Listening, Model } from '../model/model.js';

/** A configuration as text. */
export interface Rendered {
  readonly text: string;
  /** Names this configuration: the program that runs it can be asked for it. */
  readonly tag: string;
  /** Further files that the text names, by their name in the directory; a name is never used for another content. */
  readonly files: Readonly<Record<string, string>>;
}

export interface Statistics {
  /** Since the program started, or since its last reload; undefined: it does not tell. */
  readonly requests: number;
  /** Connections of clients now. */
  readonly connections: number;
}

/** Everything in which nginx and HAProxy differ. */
export interface Dialect {
  readonly name: 'nginx' | 'haproxy';
  /** Sockets that it makes in its directory. */
  readonly sockets: readonly string[];
  /** Why a wish cannot be served; undefined: it can. */
  refusal(wish: Wish): string | undefined;
  render(model: Model): Rendered;
  /** A command that ends with 0 if the program takes the configuration in this file. */
  check(file: string): readonly string[];
  /** A command that runs the program with this file, in the foreground. */
  command(file: string): readonly string[];
  /** How a running program gets another configuration. In any case it finishes what it began with the one before. */
  readonly reload:
    | { readonly by: 'signal'; readonly signal: NodeJS.Signals }
    /** A command that runs the program beside that process, takes its sockets and tells it to leave. */
    | { readonly by: 'successor'; command(file: string, pid: number): readonly string[] };
  /** Ends it when what is under way has finished. */
  readonly stopSignal: NodeJS.Signals;
  /** The tag of what is being served; undefined: nobody answers. */
  current(): Promise<string | undefined>;
  /** Told before a reload of the configuration that is about to go, and after it, whatever became of it. */
  beforeReload(tag: string): Promise<void>;
  afterReload(tag: string): void;
  /** No new request for these containers from now on, even before a reload. */
  drain(ids: readonly string[]): Promise<void>;
  statistics(): Promise<Statistics>;
}

/** One of the two programs, running: what the balancer itself knows of it. */
export interface Balancer extends AsyncDisposable {
  readonly name: Dialect['name'];
  refusal(wish: Wish): string | undefined;
  render(model: Model): Rendered;
  /** The program's complaint about a configuration; undefined: it takes it. */
  validate(rendered: Rendered): Promise<string | undefined>;
  /**
   * Serves a configuration that was validated. Connections under way finish with the one before.
   * @throws Unavailable when it does not come into service; the one before is then served again
   */
  reload(rendered: Rendered): Promise<void>;
  drain(ids: readonly string[]): Promise<void>;
  statistics(): Promise<Statistics>;
  /** Whether the program runs. */
  readonly isRunning: boolean;
  /** The tag of what is served. */
  readonly serving: string | undefined;
  /** Lets go of the program, which goes on. */
  leave(): void;
}

/** Where a dialect finds and keeps things. */
export interface Places {
  /** Holds all that is below. Workers may pass through it and not list it. */
  readonly directory: string;
}

export interface DialectSettings {
  readonly listening: Listening;
  readonly places: Places;
  /** The program; default as Debian has it. */
  readonly program?: string;
}
