import { authzKind } from './authz.js';
import { ipamKind } from './ipam.js';
import type { Kind } from './kind.js';
import { logKind } from './log.js';
import { metricsKind } from './metrics.js';
import { networkKind } from './network.js';
import { secretKind } from './secret.js';
import { volumeKind } from './volume.js';

/** Every kind that the engine knows. Adding one is adding a file and a line here. */
export const kinds = [
  volumeKind,
  networkKind,
  ipamKind,
  logKind,
  authzKind,
  metricsKind,
  secretKind,
] as const satisfies readonly Kind[];

export type { CallContext, CallOptions, Client, Handlers, Kind, Method } from './kind.js';
export { authzKind, ipamKind, logKind, metricsKind, networkKind, secretKind, volumeKind };
