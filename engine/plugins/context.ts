import type { Extensions } from '@cleat/extensions/service';
import type { Helper } from '@cleat/linux/helper/helper';
import { Semaphore } from '@cleat/protocol/async/semaphore';
import { Turns } from '@cleat/protocol/async/turns';
import type { Logger } from '@cleat/protocol/log';
import type { AuthorizationConfig, PluginsConfig } from '../config.js';
import type { Content } from '../content/service.js';
import type { Distribution } from '../distribution/service.js';
import type { Events } from '../events/service.js';
import type { Layers } from '../layers/service.js';
import type { Plugin, PluginRegistry } from './registry.js';
import type { Running } from './running/running.js';
import type { Sandboxes } from './sandboxes.js';
import type { PluginUse } from './service.js';

/** Parts that the wiring hands to this room. */
export interface PluginsDeps {
  /** A directory of the engine's own, for mounts that last a while. */
  readonly directory: string;
  readonly log: Logger;
  readonly events: Events;
  readonly registry: PluginRegistry;
  readonly content: Content;
  readonly layers: Layers;
  readonly distribution: Distribution;
  readonly extensions: Extensions;
  readonly helper: Pick<Helper, 'call' | 'tarOut'>;
  readonly sandboxes: Sandboxes;
  /** Read each time: SIGHUP changes it. */
  readonly config: Pick<PluginsConfig, 'pluginTrust'> &
    AuthorizationConfig & {
      /** When the engine stops, plugins are left running, as containers are. */
      readonly liveRestore: boolean;
    };
  /** The users of the plugin of that full name. */
  readonly usage: (name: string) => PluginUse[];
}

export type PluginAction = 'pull' | 'create' | 'enable' | 'disable' | 'push' | 'remove';

/** Shared by the parts of this room. */
export interface Context extends PluginsDeps {
  readonly running: Running;
  /** Aborted when the engine stops: what fails from then on is no fault of a plugin's. */
  readonly closing: AbortSignal;
  /** One change to a plugin at a time, by its name. */
  readonly turns: Turns;
  /** How many layers are unpacked while they still come: a slow registry holds up no other work. */
  readonly arrivals: Semaphore;
  /** How many layers are unpacked at once. */
  readonly unpacks: Semaphore;
}

export function contextOf(deps: PluginsDeps, running: Running, closing: AbortSignal): Context {
  const usage = (name: string): PluginUse[] => [
    ...deps.usage(name),
    // Their manifests say that they cannot do without it.
    ...deps.extensions.dependents(name).map((other) => ({ what: `extension ${other}`, containers: [] })),
  ];
  const shared = { turns: new Turns(), arrivals: new Semaphore(2), unpacks: new Semaphore(2) };
  return { ...deps, usage, running, closing, ...shared };
}

/**
 * An event with Docker's attributes. Of enable, disable and remove, `name` is what the user called it.
 * @param more of ours
 */
export function publish(
  { events }: Pick<Context, 'events'>,
  action: PluginAction,
  id: string,
  name: string,
  more: Readonly<Record<string, string>> = {},
): void {
  events.publish({ type: 'plugin', action, id, attributes: { ...more, name } });
}

/**
 * Does a change to the plugin that a user calls so, when it is its turn: as it is then.
 * @throws NotFound
 */
export async function change<T>(
  { registry, turns }: Pick<Context, 'registry' | 'turns'>,
  called: string,
  work: (plugin: Plugin) => T | Promise<T>,
): Promise<T> {
  const { name } = registry.find(called).record;
  return await turns.run(name, () => work(registry.find(called)));
}
