import { conflict } from '@cleat/protocol/errors';
import { type Context, change, publish } from '../context.js';
import { refuseUsed, stop } from './disable.js';

/** Nobody could ask this engine for anything without it. @throws Conflict, also by force */
function refuseConfigured({ config, registry }: Pick<Context, 'config' | 'registry'>, name: string): void {
  const authorizers = config.authorizationPlugins ?? [];
  if (!authorizers.some((called) => registry.called(called)?.record.name === name)) return;
  throw conflict(`plugin ${name} is in use: authorization-plugins names it, take it out of there first`);
}

/**
 * Removes a plugin and what it has here. Volumes and networks stay on record: they belong to its name.
 * @throws Conflict `plugin X is in use`, `plugin X is enabled`, unless forced
 */
export async function remove(context: Context, called: string, { force }: { force: boolean }): Promise<void> {
  if (force) {
    const { id, record } = context.registry.find(called);
    refuseConfigured(context, record.name);
    context.running.giveUp(id);
  }
  await change(context, called, async (plugin) => {
    const { record, id } = plugin;
    refuseConfigured(context, record.name);
    if (!force) {
      refuseUsed(context, record.name);
      if (record.enabled) throw conflict(`plugin ${record.name} is enabled`);
    }
    if (record.enabled) await stop(context, plugin, called);
    await context.sandboxes.erase(plugin);
    context.running.forget(plugin);
    context.events.together(() => {
      publish(context, 'remove', id, called);
      context.registry.delete(id);
    });
    const layers = [...record.package.layers, ...(record.previous?.package.layers ?? [])];
    await context.layers.collect(layers.map(({ diffId }) => diffId));
    await context.content.collect(layers.map(({ digest }) => digest));
  });
}
