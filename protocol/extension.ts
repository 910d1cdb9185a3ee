import type { Handlers, Kind } from './kinds/kind.js';
import type { Logger } from './log.js';
import { type OptionDeclarations, type OptionsOf, readOptions } from './options.js';

/**
 * An extension as a module: the same value is served over a socket by the SDK and loaded in process by the engine, so
 * "in process" is an optimisation, never a privilege.
 */
export interface ExtensionModule<D extends OptionDeclarations = OptionDeclarations> {
  /** Its options, all of them text. Without this it is given whatever the operator wrote, unchecked. */
  readonly options?: D;
  /** Called once per process; acquires what the implementation needs. */
  start(context: ExtensionContext<OptionsOf<D>>): Promise<RunningExtension> | RunningExtension;
}

export interface ExtensionContext<Options = Readonly<Record<string, unknown>>> {
  /** The driver's name, as users say it in `--driver`. */
  readonly name: string;
  /** The operator's configuration, already merged over the manifest's defaults. */
  readonly options: Options;
  readonly log: Logger;
  /** Aborted when the extension is to stop. */
  readonly signal: AbortSignal;
}

export interface RunningExtension {
  readonly implementations: readonly Implementation[];
  /**
   * Whether it can do its work now, for `GET /health` of one that is served: throws, or answers with a sentence, when
   * it cannot. `signal` is aborted when nobody waits for the answer.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: one that is well returns nothing
  health?(signal: AbortSignal): Promise<string | void> | string | void;
  /** Its own metrics, for `GET /metrics` of an extension that is served. */
  metrics?(): Promise<readonly Metric[]> | readonly Metric[];
  /** Releases everything that `start` acquired; calls under way have finished. */
  close?(): Promise<void> | void;
}

/** One value for Prometheus. Several of the same name differ in their labels. */
export interface Metric {
  /**
   * For example `shelf_volumes`, after the extension's name; a counter's ends in `_total` (`protocol/metric-name.ts`).
   */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
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

/** Starts an extension, whatever carries it. @throws InvalidParameter for its options; whatever its `start` throws */
export async function startExtension(module: ExtensionModule, context: ExtensionContext): Promise<RunningExtension> {
  return await module.start({ ...context, options: readOptions(context.name, module.options, context.options) });
}
