import { posix } from 'node:path';
import { isBind } from './mounts.js';
import type { PluginPlaces } from './places.js';
import type { SandboxedPlugin } from './types.js';

/** To be opened from `root`, and never to lead out of it: what lies below is the plugin's, and may change at any time. */
export interface PluginPlace {
  readonly root: string;
  /** Relative, in plain steps; `.`: the root itself. */
  readonly within: string;
}

/**
 * Where a path that a plugin has answered lies on this host: below its PropagatedMount, in one of the host's directories
 * that it was given, or in its root file system (moby `daemon/pkg/plugin/v2/plugin.go` ScopedPath, which compares beginnings of text, and
 * resolves `..`: a plugin then names any place of the host).
 * Steps up end at the plugin's own root: it sees nothing above.
 */
export function placeOf(
  places: Pick<PluginPlaces, 'propagated' | 'rootfs'>,
  { manifest, settings }: Pick<SandboxedPlugin, 'manifest' | 'settings'>,
  path: string,
): PluginPlace {
  const plain = normal(`/${path}`);
  const shown = settings.Mounts.filter(isBind).flatMap(({ Source, Destination }) =>
    Source?.startsWith('/') ? [{ inside: normal(Destination), root: Source }] : [],
  );
  if (manifest.PropagatedMount !== '') {
    shown.push({ inside: normal(manifest.PropagatedMount), root: places.propagated });
  }
  // The deepest hides the others, as it does in the plugin.
  const [found] = shown
    .filter(({ inside }) => inside !== '/' && (plain === inside || plain.startsWith(`${inside}/`)))
    .sort((a, b) => b.inside.length - a.inside.length);
  if (!found) return { root: places.rootfs, within: plain.slice(1) || '.' };
  return { root: found.root, within: plain.slice(found.inside.length + 1) || '.' };
}

const normal = (path: string): string => posix.normalize(path).replace(/(.)\/$/, '$1');
