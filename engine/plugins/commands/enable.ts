import { conflict } from '@cleat/protocol/errors';
import { type Context, change, publish } from '../context.js';
import type { Plugin } from '../registry.js';
import { goneBack } from './go-back.js';
import { run } from './run.js';

/**
 * Runs a plugin, and waits until it answers. If it does not, it is stopped and stays disabled; after an upgrade, the
 * package before it comes back and is run.
 * @throws Conflict `plugin already enabled: …`; Unavailable with the reason, and the plugin's last lines
 */
export async function enable(context: Context, called: string, timeout: number): Promise<void> {
  await change(context, called, async (plugin) => {
    if (plugin.record.enabled) throw conflict(`plugin already enabled: plugin ${plugin.record.name} is enabled`);
    const wanted = { ...plugin.record, timeout };
    try {
      await run(context, wanted);
    } catch (error) {
      throw plugin.record.previous ? await goneBack(context, { ...wanted, enabled: true }, error) : error;
    } finally {
      announce(context, called, plugin);
    }
  });
}

/** Enabled by now, be it after going back. */
function announce(context: Context, called: string, { id }: Plugin): void {
  if (context.registry.get(id)?.record.enabled) publish(context, 'enable', id, called);
}
