import { Dependencies } from './dependencies.js';
import { Entries } from './entries.js';
import { KeptLines } from './kept-lines.js';
import { Registrations } from './registrations.js';
import { Registry } from './registry.js';
import type { Extensions } from './service.js';
import type { ExtensionsSettings } from './settings.js';
import type { ExtensionStatus } from './status.js';

export type { ExtensionOverride } from './manifest.js';
export type { Extensions } from './service.js';
export type { ExtensionsSettings, Overrides } from './settings.js';
export type { CallResult, ExtensionState, ExtensionStatus, KeptLine, MethodStatistics } from './status.js';

/**
 * Opens the registry: reads the manifests, and starts the extensions that run as processes of their own. Those in
 * process are loaded, and discovered ones activated, when they are first asked for; each after what it needs.
 * @throws InvalidParameter for a manifest or an override that is wrong, and an order that cannot be
 */
export function openExtensions(settings: ExtensionsSettings): Extensions {
  const listeners = new Set<(status: ExtensionStatus) => void>();
  const onChange = (status: ExtensionStatus) => {
    for (const listener of listeners) listener(status);
  };
  const kept = new KeptLines();
  const dependencies: Dependencies = new Dependencies(() => [...entries.members, ...registrations.members]);
  const registrations = new Registrations({
    takenBy: (name) => entries.takenBy(name),
    dependencies,
    log: (name) => kept.logger(settings.log, name),
    onChange,
  });
  const entries: Entries = new Entries({ ...settings, kept, dependencies, onChange });
  return new Registry({ settings, entries, registrations, dependencies, kept, onChange }, listeners);
}
