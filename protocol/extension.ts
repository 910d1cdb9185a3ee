import type { Handlers, Kind } from './kinds/kind.js';
import type { Logger } from './log.js';

/**
 * An extension as a module: the same value is served over a socket by the SDK and loaded in process by the engine, so
 * "in process" is an optimisation, never a privilege.
 */
export interface ExtensionModule {
  /** Called once per process; acquires what the implementation needs. */
  start(context: ExtensionContext): Promise<RunningExtension> | RunningExtension;
}

export interface ExtensionContext {
  /** The driver's name, as users say it in `--driver`. */
  readonly name: string;
  /** What the operator configured, already merged over the manifest's defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly log: Logger;
  /** Aborted when the extension is to stop. */
  readonly signal: AbortSignal;
}

export interface RunningExtension {
  readonly implementations: readonly Implementation[];
  /** Releases everything that `start` acquired; calls under way have finished. */
  close?(): Promise<void> | void;
}

/** One kind and the handlers that implement it; made by {@link implement}, which checks the types. */
export interface Implementation {
  readonly kind: Kind;
  readonly handlers: Readonly<Record<string, unknown>>;
}

/** Ties handlers to their contract. */
export function implement<K extends Kind>(kind: K, handlers: Handlers<K>): Implementation {
  return { kind, handlers: handlers as Readonly<Record<string, unknown>> };
}
