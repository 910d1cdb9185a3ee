import { existsSync, readdirSync, rmdirSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { unmountAll } from '@cleat/linux/mount/mount';
import { messageOf } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import { removeBundle } from './release.js';

/** Removes what an engine that was killed left of containers that are on record nowhere. Before anything is started. */
export async function removeLeftOvers(context: Context): Promise<void> {
  removeUnknown(context);
  removeArchives(context);
  removeUnborn(context);
  await forgetUnknown(context);
}

/** Bundles, mounts and directories that belong to no container of ours. */
function removeUnknown(context: Pick<Context, 'log' | 'paths' | 'registry'>): void {
  for (const id of readdirSync(context.paths.bundles())) {
    if (context.registry.byFullId(id)) continue;
    try {
      unmountAll(context.paths.bundle(id));
      removeBundle(context, id);
    } catch (error) {
      context.log.warn('something left over could not be removed', { container: id, error: messageOf(error) });
    }
  }
}

/**
 * Directories of containers that were being made. Only without a file: nobody's data goes because a record is missing.
 */
function removeUnborn(context: Pick<Context, 'log' | 'paths' | 'registry'>): void {
  for (const id of readdirSync(context.paths.directories())) {
    if (context.registry.byFullId(id)) continue;
    try {
      rmSync(context.paths.ownFiles(id), { recursive: true, force: true });
      removeEmpty(context.paths.directory(id));
    } catch (error) {
      context.log.warn('there is a directory of no container', { container: id, error: messageOf(error) });
    }
  }
}

/** @throws ENOTDIR, ENOTEMPTY where there is more than directories */
function removeEmpty(directory: string): void {
  for (const name of readdirSync(directory)) removeEmpty(join(directory, name));
  rmdirSync(directory);
}

/** Mounts of containers that an engine looked into when it was killed. */
function removeArchives(context: Pick<Context, 'log' | 'paths'>): void {
  for (const name of readdirSync(context.paths.archives())) {
    const directory = join(context.paths.archives(), name);
    try {
      unmountAll(directory);
      if (statSync(directory).isDirectory()) rmdirSync(directory);
      else unlinkSync(directory);
    } catch (error) {
      context.log.warn('a temporary mount that was left over could not be removed', {
        directory,
        error: messageOf(error),
      });
    }
  }
}

/** Runtimes' files about containers that are gone. */
async function forgetUnknown(context: Context): Promise<void> {
  for (const name of Object.keys(context.config.runtimes)) {
    const root = context.paths.runtimeRoot(name);
    if (!existsSync(root)) continue;
    for (const id of readdirSync(root)) {
      // crun keeps compiled filters in `.cache`.
      if (id.startsWith('.') || context.registry.byFullId(id)) continue;
      try {
        await context.runtimes.get(name).delete(id, { force: true });
      } catch (error) {
        context.log.warn('a runtime keeps something left over', { container: id, error: messageOf(error) });
      }
    }
  }
}
