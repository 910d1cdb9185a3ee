/** Write an extension once; Cleat loads it in process, and over a socket it serves Cleat and stock Docker. */
import type { ExtensionModule } from '@cleat/protocol/extension';

export { conflict, forbidden, invalidParameter, notFound, notImplemented, unavailable } from '@cleat/protocol/errors';
export {
  type ExtensionContext,
  type ExtensionModule,
  type Implementation,
  implement,
  type RunningExtension,
} from '@cleat/protocol/extension';
export {
  authzKind,
  ipamKind,
  logKind,
  metricsKind,
  networkKind,
  secretKind,
  volumeKind,
} from '@cleat/protocol/kinds/index';
export type { CallContext, Handlers, Kind } from '@cleat/protocol/kinds/kind';
export type { MountContext } from '@cleat/protocol/kinds/volume';
export type { Logger } from '@cleat/protocol/log';
export { run } from './run.js';
export { type Served, type ServeOptions, serve, type TcpOptions } from './serve.js';
export { DurableMap } from './state.js';

/** Gives a module its type where it is written. */
export function defineExtension(module: ExtensionModule): ExtensionModule {
  return module;
}
