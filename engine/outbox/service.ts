import type { CallOptions } from '@cleat/protocol/kinds/kind';

/**
 * Calls by which something is given back to an extension, or ended. An extension that is away or hangs holds nobody up:
 * the calls that it missed are pending, on disk, and are made as soon as it is back, also by the next engine. Each room
 * opens one queue, and says what its calls mean; the outbox sees to it that they arrive. While the disk is full, pending
 * calls are in memory: this engine makes them, and writes them down as soon as there is room.
 *
 * An extension that answers with an error:
 * - says that it knows nothing of it: then there is nothing to give back, and the call is as good as done;
 * - refuses: the call is made again, up to {@link Rules.attempts} times in all, and then given up. A caller that
 *   waits gets that as an outcome, not as an error; the log has it in any case.
 */
export interface Outbox {
  /** @param name tells the queues apart on disk, for good */
  queue<Call extends object>(name: string, rules: Rules<Call>): Queue<Call>;
  /**
   * The rooms are open: what the former engine left is told from now on. Until then no call is made but those that a room
   * waits for.
   */
  start(): void;
  /** Resolves when the rooms are open. */
  readonly started: Promise<void>;
  /** No further attempt; what is pending stays on disk. */
  close(): void;
}

export interface Queue<Call extends object> {
  /** The pending calls, in the order in which they came up. */
  list(): Pending<Call>[];
  has(id: string): boolean;
  /**
   * Puts down what is to be sent, before whatever would tell that it is due is forgotten: a kill of the engine between
   * that and {@link send} loses nothing.
   * @throws System when the disk is full: then it must not be forgotten
   */
  note(messages: readonly Message<Call>[]): void;
  /**
   * Makes the calls. Takes a few seconds at most: what the extension could not be told by then is pending. A message
   * that is under way already is waited for.
   * @param options of the calls; by default they fail at once when nobody is there
   * @throws System only when the disk is full, and a thousand messages wait in memory for it
   */
  send(message: Message<Call>, options?: CallOptions): Promise<Outcome>;
  /** Pending from now on, without an attempt by the caller. @throws as {@link send} */
  postpone(message: Message<Call>, reason: string, since?: string): void;
  /**
   * Makes the calls that are pending for an extension, in the order in which they came up. For a caller that is about
   * to ask it for something new.
   */
  settle(extension: string, only?: (pending: Pending<Call>) => boolean): Promise<void>;
  /** Nobody wants it any longer. Resolves when a call that is under way has ended. */
  cancel(id: string): Promise<void>;
}

/** The calls for one extension, in this order. */
export interface Message<Call extends object> {
  /** Among all of its queue. */
  id: string;
  extension: string;
  /** Its subject, for people. */
  about: string;
  calls: Call[];
}

/** A message that an extension has not heard yet. */
export interface Pending<Call extends object> extends Message<Call> {
  v: 1;
  /** RFC 3339 */
  since: string;
  /** Why it has not heard it. */
  reason: string;
  /** How often it refused one of the calls. */
  refusals: number;
}

export type Outcome =
  /** All calls were made, but for those that the extension knows nothing of. */
  | { state: 'done'; unknown: boolean }
  | { state: 'pending'; reason: string }
  /** A call was given up. */
  | { state: 'refused'; error: unknown };

/** A room's rules for its calls. */
export interface Rules<Call extends object> {
  call(extension: string, call: Call, options: CallOptions): Promise<unknown>;
  /**
   * How often an extension is asked that refuses. More than once only where a repeated call cannot do harm: the call
   * names what it gives back, and an extension that no longer has it says so.
   */
  attempts: number;
  /** One message need not wait for another of the same extension: all are sent at once. */
  independent?: boolean;
  /** Whether what the call gives back is nobody's any longer, or was taken again: then it is not made. */
  isMoot?(extension: string, call: Call): boolean;
  /** Settles when nothing outside the outbox stands in the way of the call. */
  ready?(extension: string, call: Call): Promise<unknown>;
  /** Whether that message must have arrived before this call is made. */
  comesBefore?(other: Message<Call>, call: Call): boolean;
  /** The message has arrived, or was given up. */
  onSettled?(message: Message<Call>, outcome: Outcome): void;
}
