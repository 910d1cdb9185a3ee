import type { PluginManifest } from '../api/plugin.js';
import { type Faults, quoted } from './faults.js';

/** A UNIX socket's name has 107 characters at most, with its directory. */
const longestSocket = 64;

/**
 * Checks of every manifest, of any publisher: the engine itself acts on these members, on this host and with
 * its own rights.
 */
export function checkSafety(manifest: PluginManifest, faults: Faults): void {
  checkSocket(manifest.Interface.Socket, faults);
  const { PropagatedMount, WorkDir, Mounts, Linux, Env, rootfs } = manifest;
  // The engine looks below it for what the plugin says it mounted.
  if (PropagatedMount !== '') {
    checkPath(PropagatedMount, 'PropagatedMount', faults);
    if (/^\/+(\.?\/*)*$/.test(PropagatedMount)) faults.add('PropagatedMount', 'must not be the root directory');
  }
  if (WorkDir !== '') checkPath(WorkDir, 'WorkDir', faults);
  for (const [at, { Destination }] of (Mounts ?? []).entries()) {
    checkPath(Destination, `Mounts[${at}].Destination`, faults);
  }
  for (const [at, { Path }] of (Linux.Devices ?? []).entries()) {
    if (Path !== null && Path !== '') checkPath(Path, `Linux.Devices[${at}].Path`, faults);
  }
  for (const [at, { Name }] of (Env ?? []).entries()) {
    if (Name.includes('=')) faults.add(`Env[${at}].Name`, `must not contain "=", but is ${quoted(Name)}`);
  }
  for (const [at, digest] of (rootfs?.diff_ids ?? []).entries()) {
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) faults.add(`rootfs.diff_ids[${at}]`, 'must be a sha256 digest');
  }
}

function checkSocket(socket: string, faults: Faults): void {
  const path = 'Interface.Socket';
  if (socket.includes('/') || socket === '.' || socket === '..') {
    faults.add(path, `must be a file name without a directory, not ${quoted(socket)}`);
  } else if (Buffer.byteLength(socket) > longestSocket) {
    faults.add(path, `has more than ${longestSocket} bytes`);
  }
}

/** Absolute, and nothing in it that leads up again. */
function checkPath(value: string, path: string, faults: Faults): void {
  if (!value.startsWith('/')) faults.add(path, `must be an absolute path, not ${quoted(value)}`);
  else if (value.split('/').includes('..')) faults.add(path, `must not contain "..", but is ${quoted(value)}`);
}
