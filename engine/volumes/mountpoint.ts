import { join, posix } from 'node:path';
import { CleatError, type ErrorClass, isClass, messageOf } from '@cleat/protocol/errors';
import type { Room } from './room.js';

/**
 * What a driver answers to Mount becomes the source of a bind mount, made by root: it must be one plain place that is
 * there, and neither the host's whole root nor the engine's own files. This guards against mistakes; who may answer
 * for volumes on this host without being confined is trusted with it.
 * @returns the path as it is to be mounted
 * @throws System; DeadlineExceeded for a path that hangs
 */
export async function checkMountpoint(
  room: Room,
  driver: string,
  volume: string,
  path: string,
  signal?: AbortSignal,
): Promise<string> {
  const refusal = (why: string, cause?: unknown, errorClass: ErrorClass = 'System') =>
    new CleatError(
      errorClass,
      `plugin "${driver}" answered VolumeDriver.Mount of volume ${volume} with the mount point ${JSON.stringify(path)}, ${why}`,
      { cause },
    );
  const plain = path.startsWith('/') && !path.includes('\0') && !path.split('/').includes('..');
  const normal = posix.normalize(path).replace(/(.)\/$/, '$1');
  if (!plain || normal === '/') throw refusal('which is no plain absolute path of a directory');
  let real: string;
  try {
    real = (await room.helper.call('realPath', { path: normal }, { signal })).path;
  } catch (error) {
    if (isClass(error, 'NotFound')) throw refusal('which does not exist', error);
    const errorClass = error instanceof CleatError ? error.class : 'System';
    throw refusal(`which cannot be looked at: ${messageOf(error)}`, error, errorClass);
  }
  if (real === '/') throw refusal("which leads to the host's whole root");
  if (isOurs(room, driver, real)) throw refusal("which leads into the engine's own files");
  return normal;
}

/** Where the engine gives room to the extensions that the operator configured (`batteries/manifest.yaml`). */
const givenAway = ['volumes', 'extensions'];

function isOurs({ roots, drivers }: Room, driver: string, path: string): boolean {
  const touches = (root: string) => isWithin(root, path) || isWithin(path, root);
  if (!touches(roots.dataRoot) && !touches(roots.execRoot)) return false;
  const given = givenAway.map((name) => join(roots.dataRoot, name));
  const inside = given.some((directory) => directory !== path && isWithin(directory, path));
  return !inside || !drivers.isConfigured(driver);
}

/** By whole names: `/a/bc` does not lie within `/a/b`. */
function isWithin(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}
