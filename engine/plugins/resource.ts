import type { ExtensionStatus } from '@cleat/extensions/status';
import type { PluginResource } from '@cleat/protocol/api/plugin';
import { shownSettings } from '@cleat/protocol/plugins/settings';
import { digestOf } from '../content/blobs.js';
import type { Plugin } from './registry.js';

/** Cleat's facts about a plugin, beyond Docker's view. */
export interface PluginCondition {
  /** As `cleat extensions` shows it. */
  State: ExtensionStatus['state'];
  Health: ExtensionStatus['health'];
  /** Why it is in this state; empty when there is nothing to say. */
  Reason: string;
  /** RFC 3339. */
  Since: string;
  /** 0 unless it runs. */
  Pid: number;
  Restarts: number;
  LastEnd: string;
  /** The digest under which registries have it. */
  Digest: string;
  /** That of the package before an upgrade which has not answered yet. */
  Previous?: string;
}

/** Docker's view, and in a member of its own what Cleat knows beyond that. Secrets are not shown. */
export function resourceOf(
  { record, manifest }: Plugin,
  status: ExtensionStatus | undefined,
): PluginResource & { Cleat: PluginCondition } {
  const { process } = status ?? {};
  return {
    Config: manifest,
    Enabled: record.enabled,
    Id: record.id,
    Name: record.name,
    PluginReference: record.package.reference,
    Settings: shownSettings(manifest, record.settings),
    Cleat: {
      State: status?.state ?? 'disabled',
      Health: status?.health ?? 'unknown',
      Reason: status?.reason ?? '',
      Since: status?.since.toISOString() ?? '',
      Pid: process?.pid ?? 0,
      Restarts: process?.restarts ?? 0,
      LastEnd: process?.lastEnd ?? '',
      Digest: digestOf(record.package.artifact),
      ...(record.previous && { Previous: digestOf(record.previous.package.artifact) }),
    },
  };
}
