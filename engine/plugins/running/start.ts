import { messageOf } from '@cleat/protocol/errors';
import { isRuntime } from '@cleat/protocol/plugins/types';
import { goneBack, tellTakenBack } from '../commands/go-back.js';
import { settle } from '../commands/run.js';
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
  const takenBack: Promise<void>[] = [];
  for (const plugin of registry.all()) {
    const { enabled, name, previous } = plugin.record;
    tellTakenBack(context, plugin.id);
    try {
      if (enabled) {
        running.begin(plugin);
        // There is nothing to wait for of a runtime, unless it was upgraded.
        if (previous || !isRuntime(plugin.manifest)) begun.push(plugin);
      } else running.unavailable(plugin);
    } catch (error) {
      log.error('a plugin cannot be started', { plugin: name, error: messageOf(error) });
      if (enabled && previous) takenBack.push(takeBack(context, plugin, error));
    }
  }
  await Promise.all([...takenBack, ...begun.map((plugin) => answers(context, plugin))]);
}

async function answers(context: Context, plugin: Plugin): Promise<void> {
  const { previous } = plugin.record;
  try {
    await context.running.answered(plugin);
  } catch (error) {
    // The registry of extensions tells of others.
    if (previous) await takeBack(context, plugin, error);
    return;
  }
  if (previous) await unlessChanged(context, plugin, (now) => settle(context, now));
}

/** The engine before this one was killed in the middle of its upgrade, and the new version does not answer. */
async function takeBack(context: Context, plugin: Plugin, cause: unknown): Promise<void> {
  await unlessChanged(context, plugin, async (now) => {
    if (context.closing.aborted) return;
    await context.running.end(now, 'its upgrade is taken back');
    await goneBack(context, now.record, cause);
  });
}

/** Does it when it is the plugin's turn, unless a user has changed it meanwhile. */
async function unlessChanged(
  { turns, registry, log }: Context,
  { id, record }: Plugin,
  work: (now: Plugin) => Promise<void>,
): Promise<void> {
  try {
    await turns.run(record.name, async () => {
      const now = registry.get(id);
      if (now?.record.enabled && now.record.package.artifact === record.package.artifact) await work(now);
    });
  } catch (error) {
    log.error('an upgrade of a plugin could not be finished', { plugin: record.name, error: messageOf(error) });
  }
}
