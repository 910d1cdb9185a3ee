/** Write an extension once; Cleat loads it in process, and over a socket it serves Cleat and stock Docker. */
import type { ExtensionModule } from '@cleat/protocol/extension';
import type { OptionDeclarations } from '@cleat/protocol/options';

export { Backoff, type Pauses } from '@cleat/protocol/async/backoff';
export { conflict, forbidden, invalidParameter, notFound, notImplemented, unavailable } from '@cleat/protocol/errors';
export {
  type ExtensionContext,
  type ExtensionModule,
  type Implementation,
  implement,
  type Metric,
  type RunningExtension,
} from '@cleat/protocol/extension';
export * from '@cleat/protocol/kinds/index';
export type { MountContext } from '@cleat/protocol/kinds/volume';
export type { Logger } from '@cleat/protocol/log';
export type { OptionDeclaration, OptionDeclarations, OptionsOf } from '@cleat/protocol/options';
export { activatedSocket } from './activation.js';
export { type DurableFileOptions, syncDirectory, writeFileDurably } from './durable-file.js';
export { jsonLogger, textLogger } from './log.js';
export { run } from './run.js';
export { type Served, type ServeOptions, serve, type TcpOptions } from './serve.js';
export { DurableMap, type DurableMapOptions } from './state.js';
export { turns } from './turns.js';

/**
 * Gives a module its type where it is written. With declared options, `start` gets each as text: one with a default, or
 * that is required, always; any other may be undefined.
 * @example
 * export default defineExtension({
 *   options: { root: { default: '/srv/mine', help: 'where data goes' } },
 *   start: ({ options }) => ({ implementations: [implement(volumeKind, driver(options.root))] }),
 * });
 */
export function defineExtension<const D extends OptionDeclarations = OptionDeclarations>(
  module: ExtensionModule<D>,
): ExtensionModule {
  return module;
}
