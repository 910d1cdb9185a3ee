import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { bind, makeShared, mountTmpfs } from '@cleat/linux/mount/mount';
import { isMountPoint } from '@cleat/linux/mount/mountinfo';
import { mountOverlay } from '@cleat/linux/mount/overlay';
import { mountFlag } from '@cleat/linux/syscall/mount';
import { accountFiles, accountsAt } from '../../oci/accounts.js';
import { ownFilesFor } from '../../oci/own-files.js';
import type { PluginPlaces } from './places.js';
import type { SandboxedPlugin } from './types.js';

/** A plugin makes a socket or two there; it must not fill the host's memory. */
const socketRoom = { size: 1024 * 1024, inodes: 128 };

/** Makes everything that a run needs on this host, except for processes and its network. It keeps what is there already. */
export function prepare(places: PluginPlaces, plugin: SandboxedPlugin): void {
  makeDirectories(places.directory, 0o700);
  makeDirectories(places.exits, 0o700);
  writePlugin(places);
  prepareRootfs(places, plugin);
  prepareSockets(places, plugin);
  if (plugin.manifest.PropagatedMount !== '') preparePropagated(places, plugin);
}

/** Says whose the bundle is. */
export function writePlugin({ bundle, id, idFile }: PluginPlaces): void {
  makeDirectories(bundle, 0o711);
  writeFileSync(idFile, id, { mode: 0o600 });
}

function prepareRootfs(places: PluginPlaces, { layers }: SandboxedPlugin): void {
  const { upper, work, rootfs, ownFiles } = places;
  // Regardless of our umask.
  if (makeDirectories(upper) !== undefined) chmodSync(upper, 0o755);
  makeDirectories(work, 0o711);
  makeDirectories(ownFiles, 0o711);
  makeDirectories(rootfs, 0o711);
  const own = join(ownFiles, ownFilesFor(ownFiles, layers));
  // The kernel takes no directory twice.
  // An upgrade puts other layers below what was written: nothing there may refer to the former ones.
  const options = ['index=off', 'metacopy=off'];
  mountOverlay({ lower: [own, ...new Set(layers)], upper, work, target: rootfs, options });
  for (const path of accountFiles) accountsAt(rootfs, path, 'unable to find the user of the plugin');
}

/**
 * The plugin decides about the content, and the engine connects to it: no symlink of its leads the engine elsewhere.
 */
function prepareSockets({ sockets, logging }: PluginPlaces, { manifest }: SandboxedPlugin): void {
  const { UID: uid = 0, GID: gid = 0 } = manifest.User;
  const flags = mountFlag.noSuid | mountFlag.noDev | mountFlag.noExec | mountFlag.noSymFollow;
  for (const [directory, owner] of [
    [sockets, { uid, gid }],
    [logging, {}],
  ] as const) {
    makeDirectories(directory, 0o700);
    mountTmpfs(directory, { source: 'plugin', mode: '0755', flags, ...socketRoom, ...owner });
  }
}

/** A mount of its own that is shared: what the plugin mounts below it is there on the host, too, as under Docker. */
function preparePropagated({ propagated }: PluginPlaces, { manifest }: SandboxedPlugin): void {
  const { UID = 0, GID = 0 } = manifest.User;
  if (makeDirectories(propagated, 0o755) !== undefined) chownSync(propagated, UID, GID);
  if (!isMountPoint(propagated)) bind(propagated, propagated);
  makeShared(propagated);
}
