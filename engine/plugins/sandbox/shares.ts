import { logKind } from '@cleat/protocol/kinds/log';
import { metricsKind } from '@cleat/protocol/kinds/metrics';
import { kindsOf } from '@cleat/protocol/plugins/types';
import type { OwnMount } from './mounts.js';
import { type PluginPlaces, socketsInside } from './places.js';
import type { SandboxedPlugin, SandboxShares } from './types.js';

/** Where a log driver finds what it is to read. */
export const loggingInside = '/run/docker/logging';
/** Where a metrics collector finds `metrics.sock`. */
export const metricsInside = '/run/docker/metrics';

/** The directories that the engine shares with a plugin, by its kinds. */
export function ownMounts(places: PluginPlaces, { manifest }: SandboxedPlugin, shares: SandboxShares = {}): OwnMount[] {
  const kinds = new Set(kindsOf(manifest));
  const mounts: OwnMount[] = [{ source: places.sockets, destination: socketsInside }];
  if (kinds.has(logKind.name)) mounts.push({ source: places.logging, destination: loggingInside, readOnly: true });
  if (kinds.has(metricsKind.name) && shares.metrics) {
    mounts.push({ source: shares.metrics, destination: metricsInside, readOnly: true });
  }
  return mounts;
}
