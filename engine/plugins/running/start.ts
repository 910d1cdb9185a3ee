import { messageOf } from '@cleat/protocol/errors';
import { settle } from '../commands/enable.js';
import type { Context } from '../context.js';

/**
 * At the engine's start: each enabled plugin is started, or found running, and tried again for as long as it takes. None is
 * waited for, and none stops the others or the engine. A disabled one is known, so that who asks for it hears why.
 */
export function startAll(context: Context): void {
  const { registry, running, log } = context;
  for (const plugin of registry.all()) {
    const { enabled, name, previous } = plugin.record;
    try {
      if (enabled) running.begin(plugin);
      else running.unavailable(plugin);
    } catch (error) {
      log.error('a plugin cannot be started', { plugin: name, error: messageOf(error) });
      continue;
    }
    // An engine that was killed in the middle of an upgrade of one that runs: it answers, or its user goes back.
    if (enabled && previous) {
      running
        .answered(plugin)
        .then(() => settle(context, plugin))
        .catch((error: unknown) =>
          log.warn('an upgraded plugin does not answer', { plugin: name, error: messageOf(error) }),
        );
    }
  }
}
