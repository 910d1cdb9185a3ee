import type { PluginDevice, PluginManifest, PluginMount } from '../plugins/config.js';
import Type, { go, type Static } from '../schema.js';

/** The Engine API's plugin objects. */
export type { PluginDevice, PluginEnv, PluginManifest, PluginMount } from '../plugins/config.js';

/** One permission that a user has to accept before a plugin is installed. */
export const PluginPrivilege = Type.Object(
  { Name: Type.String(), Description: Type.String(), Value: Type.Union([Type.Array(Type.String()), Type.Null()]) },
  go('plugin.Privilege'),
);
export type PluginPrivilege = Static<typeof PluginPrivilege>;

/** Body of `POST /plugins/pull` and `POST /plugins/{name}/upgrade`: what the user has accepted. */
export const PluginPrivileges = Type.Union([Type.Array(PluginPrivilege), Type.Null()], go('plugin.Privileges'));

/** Body of `POST /plugins/{name}/set`. */
export const PluginSetRequest = Type.Union([Type.Array(Type.String()), Type.Null()]);

/** The values that users can change. */
export interface PluginSettings {
  Args: string[];
  Devices: PluginDevice[];
  Env: string[];
  Mounts: PluginMount[];
}

export interface PluginResource {
  Config: PluginManifest;
  Enabled: boolean;
  Id: string;
  Name: string;
  /** Where it came from, with its registry. */
  PluginReference?: string;
  Settings: PluginSettings;
}
