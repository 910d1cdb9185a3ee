import { conflict } from '@cleat/protocol/errors';
import { type Context, change, publish } from '../context.js';
import type { Plugin } from '../registry.js';
import type { PluginUse } from '../service.js';

/**
 * Stops a plugin. By force also while somebody uses it: the log and the event say which containers lose what.
 * @throws Conflict `plugin X is in use`, `plugin is already disabled: …`
 */
export async function disable(context: Context, called: string, { force }: { force: boolean }): Promise<void> {
  const gaveUp = force && context.running.giveUp(context.registry.find(called).id);
  await change(context, called, async (plugin) => {
    const { name, enabled } = plugin.record;
    if (!force) refuseUsed(context, name);
    if (!enabled && gaveUp) return;
    if (!enabled) throw conflict(`plugin is already disabled: plugin ${name} found but disabled`);
    await stop(context, plugin, called);
  });
}

/** @throws Conflict `plugin X is in use`, and by whom */
export function refuseUsed({ usage }: Pick<Context, 'usage'>, name: string): void {
  const uses = usage(name);
  if (uses.length > 0) throw conflict(`plugin ${name} is in use: ${usesText(uses)}`);
}

/** @param called the plugin, as its user called it */
export async function stop(context: Context, plugin: Plugin, called: string): Promise<void> {
  const { registry, running, usage, log } = context;
  const { record, id } = plugin;
  const uses = usage(record.name);
  registry.put({ ...record, enabled: false });
  await running.end(plugin, 'it was disabled');
  const losing = uses.filter(({ containers }) => containers.length > 0);
  for (const { what, containers } of losing) {
    log.warn('a plugin was disabled by force while it was used', { plugin: record.name, what, containers });
  }
  const more = {
    ...(uses.length > 0 && { usedBy: usesText(uses) }),
    ...(losing.length > 0 && { containers: [...new Set(losing.flatMap(({ containers }) => containers))].join(',') }),
  };
  publish(context, 'disable', id, called, more);
}

/** `volume data (container web), network inner` */
function usesText(uses: readonly PluginUse[]): string {
  const shown = uses.slice(0, 10).map(({ what, containers }) => {
    const plural = containers.length > 1 ? 's' : '';
    return containers.length > 0 ? `${what} (container${plural} ${containers.join(', ')})` : what;
  });
  const more = uses.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
