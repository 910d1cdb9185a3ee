import { messageOf } from '@cleat/protocol/errors';
import { isRuntime } from '@cleat/protocol/plugins/types';
import { settle } from '../commands/enable.js';
import type { Context } from '../context.js';
import type { Plugin } from '../registry.js';

/**
 * At the engine's start: each enabled plugin is started, or found running, and tried again for as long as it takes. None is
 * waited for, and none stops the others or the engine. A disabled one is known, so that who asks for it hears why.
 * @returns settles when each has answered, or was waited for as long as is usual
 */
export async function startAll(context: Context): Promise<void> {
  const { registry, running, log } = context;
  const begun: Plugin[] = [];
  for (const plugin of registry.all()) {
    const { enabled, name, previous } = plugin.record;
    try {
      if (enabled) {
        running.begin(plugin);
        // There is nothing to wait for of a runtime, unless it was upgraded.
        if (previous || !isRuntime(plugin.manifest)) begun.push(plugin);
      } else running.unavailable(plugin);
    } catch (error) {
      log.error('a plugin cannot be started', { plugin: name, error: messageOf(error) });
    }
  }
  await Promise.all(begun.map((plugin) => answers(context, plugin)));
}

async function answers(context: Context, plugin: Plugin): Promise<void> {
  const { name, previous } = plugin.record;
  try {
    await context.running.answered(plugin);
    if (previous) await keep(context, plugin);
  } catch (error) {
    // An engine that was killed in the middle of an upgrade of one that runs: it answers, or its user goes back. Of others
    // the registry of extensions tells.
    if (previous) context.log.warn('an upgraded plugin does not answer', { plugin: name, error: messageOf(error) });
  }
}

/** The version that it was upgraded to has answered, unless a user has changed it meanwhile. */
async function keep(context: Context, { id, record }: Plugin): Promise<void> {
  await context.turns.run(record.name, async () => {
    const now = context.registry.get(id);
    if (now?.record.enabled && now.record.package.artifact === record.package.artifact) await settle(context, now);
  });
}
