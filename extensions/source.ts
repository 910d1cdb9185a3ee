import type { Address } from './carriers/address.js';
import type { Carrier } from './carriers/carrier.js';
import type { ProcessStatus } from './status.js';

/** Where an implementation is found right now. */
export interface Place {
  /** Changes when what is there was replaced (another socket file, another address): then it is activated anew. */
  readonly id: string;
  /** For people: a socket path, a URL, a manifest entry. */
  readonly origin: string;
  /** Where it listens, if it is reached by a socket. */
  readonly address?: Address;
  /** Known by a description that may be there long before the extension is. */
  readonly described?: boolean;
  /** Opens the way to it. @throws CleatError or TransportError */
  open(): Promise<Carrier>;
}

/** Where an extension comes from; asked at each call, because it may have moved. */
export interface Source {
  /** Cheap and synchronous (a stat at most); undefined when it is nowhere. */
  locate(): Place | undefined;
  /** How long to wait for one that is known and does not answer yet, in ms. */
  patienceMs(wasActive: boolean): number;
  /**
   * Begins to keep it running, and returns at once; called once, by the registry. Without it nothing has to be started.
   * @param ready resolves when all that it needs answers, rejects with the reason while it does not
   */
  start?(ready: (signal: AbortSignal) => Promise<void>): void;
  /** Says why its process does not run; undefined while it does. */
  absence?(): string | undefined;
  /** Says why nobody can answer there now, at the cost of a stat at most; undefined when somebody may. */
  missing?(): string | undefined;
  /** Calls `listener` whenever its process has started or ended, or {@link absence} changes. @returns what ends that */
  watch?(listener: () => void): () => void;
  /** Told that it has answered its activation: what has started works. */
  answered?(): void;
  /** The process that it runs as, if it is one of ours. */
  process?(): ProcessStatus;
  /** Ends what was started for it. */
  close?(): Promise<void>;
}
