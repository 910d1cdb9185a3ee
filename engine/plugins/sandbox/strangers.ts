import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from '@cleat/linux/process/identity';
import { messageOf } from '@cleat/protocol/errors';
import { placeOf } from './cgroup.js';
import { readNote } from './note.js';
import { bundlesIn, PluginPlaces } from './places.js';
import { releaseSandbox } from './release.js';
import type { SandboxDeps } from './types.js';

/** IDs of the plugins that run, also when an engine before this one has started them. */
export function runningSandboxes(deps: Pick<SandboxDeps, 'config' | 'log'>): string[] {
  return bundles(deps).filter((id) => {
    const note = readNote(new PluginPlaces(deps.config, id).note);
    return note !== undefined && isAlive(note.init);
  });
}

/** Ends and takes away what an engine that was killed left of plugins that are not to run. @param wanted their IDs are not touched */
export async function endStrangers(deps: SandboxDeps, wanted: ReadonlySet<string>): Promise<void> {
  const strangers = bundles(deps).filter((id) => !wanted.has(id));
  await Promise.all(strangers.map((id) => takeAway(deps, id)));
}

/** All that is left of a plugin's runs. */
export async function takeAway(deps: SandboxDeps, id: string): Promise<void> {
  const { config } = deps;
  const places = new PluginPlaces(config, id);
  await releaseSandbox(deps, {
    places,
    runtime: config.defaultRuntime,
    cgroup: placeOf(config, id).path,
    forGood: true,
  });
}

/** IDs of the plugins that have something here. */
function bundles({ config, log }: Pick<SandboxDeps, 'config' | 'log'>): string[] {
  const directory = bundlesIn(config);
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((name) => {
    try {
      return [readFileSync(join(directory, name, 'id'), 'utf8')];
    } catch (error) {
      log.warn('there is a directory of no plugin', { directory: name, error: messageOf(error) });
      return [];
    }
  });
}
