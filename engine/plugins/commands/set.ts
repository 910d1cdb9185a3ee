import { conflict } from '@cleat/protocol/errors';
import { applySettings } from '@cleat/protocol/plugins/settings';
import { refuseLargeRecord } from '../../store/record-size.js';
import { type Context, change } from '../context.js';

/** @throws Conflict while it is enabled; InvalidParameter in Docker's words */
export async function set(context: Context, called: string, settings: readonly string[]): Promise<void> {
  await change(context, called, ({ record, manifest }) => {
    if (record.enabled) throw conflict('cannot set on an active plugin, disable plugin before setting');
    const next = { ...record, settings: applySettings(manifest, record.settings, settings) };
    refuseLargeRecord('the plugin', next.settings);
    context.registry.put(next);
  });
}
