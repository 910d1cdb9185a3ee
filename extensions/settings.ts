import type { Logger } from '@cleat/protocol/log';
import type { ExtensionOverride } from './manifest.js';

/** By manifest entry, for example `volume-local`; for another extension by its name, and then deadlines only. */
export type Overrides = Readonly<Record<string, ExtensionOverride>>;

export interface ExtensionsSettings {
  /** Manifests (YAML); a later one replaces entries of an earlier one. */
  manifestPaths: readonly string[];
  /** As the operator configured them; {@link Extensions.reconfigure} takes others. */
  overrides: Overrides;
  /**
   * The values of `${name}` in the manifests' options. `dataRoot`, `execRoot` and, per entry, `stateDir` (a
   * directory of its own under the data root) come of themselves.
   */
  variables: Readonly<Record<string, unknown>>;
  /** Where plugins are discovered, most important first. */
  pluginDirectories: readonly string[];
  dataRoot: string;
  execRoot: string;
  /** The SDK's program that serves a module on a socket; only for extensions that run as a process. */
  hostPath: string;
  log: Logger;
}
