import { symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { logKind } from '@cleat/protocol/kinds/log';
import { metricsKind } from '@cleat/protocol/kinds/metrics';
import { kindsOf } from '@cleat/protocol/plugins/types';
import type { OwnMount } from './mounts.js';
import { type PluginPlaces, socketsInside } from './places.js';
import type { SandboxedPlugin, SandboxShares } from './types.js';

/** Where a log driver finds what it is to read. */
export const loggingInside = '/run/docker/logging';
const dockerInside = '/run/docker';
/** Where a metrics collector finds `metrics.sock`. */
export const metricsInside = '/run/docker/metrics';

/** The directories that the engine shares with a plugin, by its kinds. */
export function ownMounts(places: PluginPlaces, { manifest }: SandboxedPlugin, shares: SandboxShares = {}): OwnMount[] {
  const kinds = new Set(kindsOf(manifest));
  const mounts: OwnMount[] = [{ source: places.sockets, destination: socketsInside }];
  if (kinds.has(logKind.name)) mounts.push({ source: places.logging, destination: loggingInside, readOnly: true });
  if (kinds.has(metricsKind.name) && shares.metrics) {
    makeDirectory(places.docker);
    mounts.push({ source: places.docker, destination: dockerInside, readOnly: true });
    mounts.push({ source: shares.metrics, destination: metricsInside, readOnly: true });
  }
  return mounts;
}

/**
 * The socket is made anew with each start of the engine, so its directory is mounted; a collector looks for it where a stock
 * engine has it.
 */
function makeDirectory(docker: string): void {
  for (const path of [socketsInside, loggingInside, metricsInside])
    makeDirectories(join(docker, relative(dockerInside, path)), 0o755);
  symlinkSync(join(relative(dockerInside, metricsInside), 'metrics.sock'), join(docker, 'metrics.sock'));
}
