import { chmodSync, mkdirSync } from 'node:fs';
import type { ContainerPaths } from './paths.js';

/**
 * The directories of a container's writable layer, made when they are first needed. The upper one lends its mode to `/`
 * in the container, which everybody there may read, as under Docker; on the host it lies where nobody else gets to.
 */
export function writableLayer(paths: ContainerPaths, id: string): { upper: string; work: string } {
  const upper = paths.upper(id);
  const work = paths.work(id);
  // Whatever our umask is.
  if (mkdirSync(upper, { recursive: true }) !== undefined) chmodSync(upper, 0o755);
  mkdirSync(work, { recursive: true, mode: 0o711 });
  return { upper, work };
}
