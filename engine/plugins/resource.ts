import type { ExtensionStatus } from '@cleat/extensions/status';
import type { PluginResource } from '@cleat/protocol/api/plugin';
import { shownSettings } from '@cleat/protocol/plugins/settings';
import { digestOf } from '../content/blobs.js';
import { familiar, parseReference } from '../content/references.js';
import type { Plugin } from './registry.js';

/** Docker's view, and in a member of its own what Cleat knows beyond that. Secrets are not shown. */
export function resourceOf({ record, manifest }: Plugin, status: ExtensionStatus | undefined): PluginResource {
  return {
    Config: manifest,
    Enabled: record.enabled,
    Id: record.id,
    Name: record.name,
    PluginReference: record.package.reference,
    Settings: shownSettings(manifest, record.settings),
  };
}
