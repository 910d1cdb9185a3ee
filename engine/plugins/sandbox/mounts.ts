import { posix } from 'node:path';
import type { PluginManifest, PluginMount, PluginSettings } from '@cleat/protocol/api/plugin';
import { invalidParameter } from '@cleat/protocol/errors';
import { defaultMounts } from '../../oci/default-mounts.js';
import type { OciMount } from '../../oci/types.js';

/** The engine's own mounts in a sandbox: paths of this host by where the plugin sees them. */
export interface OwnMount {
  readonly source: string;
  readonly destination: string;
  readonly readOnly?: boolean;
}

export interface MountsRequest {
  readonly manifest: PluginManifest;
  readonly settings: PluginSettings;
  /** The host's directory behind PropagatedMount. */
  readonly propagated: string;
  readonly own: readonly OwnMount[];
  readonly privateCgroups: boolean;
}

const shmBytes = 64 * 1024 * 1024;

/** File systems that are made of directories of the host which only their options name: a user was shown none of them. */
const stacked = new Set(['overlay', 'overlayfs', 'aufs', 'unionfs']);

/** All mounts of a plugin, ordered so that none hides another. @throws InvalidParameter */
export function mountsFor({ manifest, settings, propagated, own, privateCgroups }: MountsRequest): OciMount[] {
  const asked = settings.Mounts.map(mountOf);
  const taken = new Set(asked.map(({ destination }) => posix.normalize(destination).replace(/(.)\/$/, '$1')));
  const usual = defaultMounts({
    writableSys: false,
    cgroups: { writable: false, ownNamespace: privateCgroups },
    hostIpc: manifest.IpcHost,
    shm: manifest.IpcHost ? '/dev/shm' : { size: shmBytes },
  }).filter(({ destination }) => !taken.has(destination) && !(taken.has('/dev') && destination.startsWith('/dev/')));
  const shared: OciMount[] =
    manifest.PropagatedMount === ''
      ? []
      : [
          {
            destination: manifest.PropagatedMount,
            type: 'bind',
            source: propagated,
            options: ['rbind', 'rw', 'rshared'],
          },
        ];
  const ours = own.map(
    ({ source, destination, readOnly }): OciMount => ({
      destination,
      type: 'bind',
      source,
      options: ['rbind', 'rprivate', readOnly ? 'ro' : 'rw'],
    }),
  );
  return [...usual, ...[...shared, ...asked, ...ours].sort((a, b) => depth(a.destination) - depth(b.destination))];
}

function mountOf({ Source, Destination, Type, Options, Name }: PluginMount): OciMount {
  const shown = Name || Destination;
  if (Source === null || Source === '') {
    throw invalidParameter(`mount source is not specified: ${JSON.stringify(shown)} is to be set before`);
  }
  if (stacked.has(Type)) {
    const why = 'its options name directories of the host that nobody was asked to grant';
    throw invalidParameter(`the mount ${JSON.stringify(shown)} is of type ${Type}: ${why}`);
  }
  return { destination: Destination, type: Type, source: Source, options: Options ?? [] };
}

/** A file or directory of this host, which must be there. */
export const isBind = ({ Type, Options }: PluginMount): boolean =>
  Type === 'bind' || (Options ?? []).some((option) => option === 'bind' || option === 'rbind');

const depth = (path: string): number => posix.normalize(path).split('/').length;

/** So that what is mounted in the plugin's shared mounts is seen on the host. */
export function propagationOf(mounts: readonly OciMount[]): string | undefined {
  const options = new Set(mounts.flatMap((mount) => mount.options));
  if (options.has('rshared') || options.has('shared')) return 'rshared';
  return options.has('rslave') || options.has('slave') ? 'rslave' : undefined;
}
