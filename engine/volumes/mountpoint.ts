import { join, posix } from 'node:path';
import { HeldPath } from '@cleat/linux/helper/held-path';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { CleatError, type ErrorClass, isClass, messageOf } from '@cleat/protocol/errors';
import type { Context } from './context.js';
import { isSystems } from './host-places.js';
import type { VolumeUse } from './service.js';

/** The parts that say which places a driver may name. */
type Places = Pick<Context, 'drivers' | 'roots'>;

/**
 * A driver's answer to Mount becomes the source of a bind mount, made by root: it must be one directory that is
 * there, and neither the host's own nor the engine's. What was looked at is held, so that it is what will be used. This
 * guards against mistakes and what is in a driver's data; who may answer for volumes on this host without being
 * confined is trusted with it.
 * @returns where it lies on this host, what the driver said, and what is held
 * @throws System; DeadlineExceeded for a path that hangs
 */
export async function holdMountpoint(
  context: Pick<Context, 'drivers' | 'helper' | 'place' | 'roots'>,
  driver: string,
  volume: string,
  path: string,
  { holdAt: at }: Pick<VolumeUse, 'holdAt'>,
  signal?: AbortSignal,
): Promise<{ path: string; told: string; source: HeldPath }> {
  const refusal = (why: string, cause?: unknown, errorClass: ErrorClass = 'System') =>
    new CleatError(
      errorClass,
      `plugin "${driver}" answered VolumeDriver.Mount of volume ${volume} with the mount point ${JSON.stringify(path)}, ${why}`,
      { cause },
    );
  const plain = path.startsWith('/') && !path.includes('\0') && !path.split('/').includes('..');
  const normal = posix.normalize(path).replace(/(.)\/$/, '$1');
  if (!plain || normal === '/') throw refusal('which is no plain absolute path of a directory');
  let wrong: string | undefined;
  const check = (real: string) => {
    wrong = wrongPlace(context, driver, real);
    if (wrong) throw refusal(wrong);
  };
  const place = context.place(driver, normal);
  try {
    // A plugin with a root of its own is confined to it: no link of its own making leads out.
    if (place) {
      const { root, within } = place;
      const shown = posix.join(root, within);
      // A directory, and nothing else, can be opened by that name.
      const request = { path: root, within: `${within}/`, at, shown: root };
      const source = await HeldPath.hold(context.helper, request, () => {}, { signal });
      return { path: shown, told: normal, source };
    }
    const given = (real: string) => isGiven(context, driver, real);
    const own = context.drivers.isConfigured(driver)
      ? await HeldPath.ofEngine(context.helper, normal, given, { signal })
      : undefined;
    const source = own ?? (await HeldPath.hold(context.helper, { path: normal, at }, check, { signal }));
    return { path: normal, told: normal, source };
  } catch (error) {
    if (wrong) throw error;
    if (isClass(error, 'NotFound')) throw refusal('which does not exist', error);
    if (errnoOf(error) === 'EXDEV') throw refusal('which leads out of its own files', error);
    if (isClass(error, 'InvalidParameter')) throw refusal('which is no directory', error);
    const errorClass = error instanceof CleatError ? error.class : 'System';
    throw refusal(`which cannot be looked at: ${messageOf(error)}`, error, errorClass);
  }
}

function wrongPlace(context: Places, driver: string, real: string): string | undefined {
  if (real === '/') return "which leads to the host's whole root";
  if (isOurs(context, driver, real)) return "which leads into the engine's own files";
  return isSystems(real) ? `which leads to ${real}: that is the host's own` : undefined;
}

/** Where the engine gives room to the extensions that the operator configured (`batteries/manifest.yaml`). */
const givenAway = ['volumes', 'extensions'];

function isGiven({ roots, drivers }: Places, driver: string, path: string): boolean {
  const given = givenAway.map((name) => join(roots.dataRoot, name));
  const inside = given.some((directory) => directory !== path && isWithin(directory, path));
  return inside && drivers.isConfigured(driver);
}

function isOurs(context: Places, driver: string, path: string): boolean {
  const touches = (root: string) => isWithin(root, path) || isWithin(path, root);
  if (!touches(context.roots.dataRoot) && !touches(context.roots.execRoot)) return false;
  return !isGiven(context, driver, path);
}

/** By whole names: `/a/bc` does not lie within `/a/b`. */
function isWithin(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}
