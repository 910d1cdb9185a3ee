import Type, { go, type Static } from '../schema.js';

/** The schema of a plugin's manifest (moby `api/types/plugin`). A list that was left out is null, as Go writes it. */

const Texts = Type.Union([Type.Array(Type.String()), Type.Null()]);
/** A pointer in Go: null is not the empty text. */
const MaybeText = Type.Union([Type.String(), Type.Null()]);
const Uint32 = Type.Integer({ minimum: 0, maximum: 0xffff_ffff, ...go('uint32') });

export const PluginEnv = Type.Object(
  { Description: Type.String(), Name: Type.String(), Settable: Texts, Value: MaybeText },
  go('plugin.Env'),
);
export type PluginEnv = Static<typeof PluginEnv>;

export const PluginMount = Type.Object(
  {
    Description: Type.String(),
    Destination: Type.String(),
    Name: Type.String(),
    Options: Texts,
    Settable: Texts,
    Source: MaybeText,
    Type: Type.String(),
  },
  go('plugin.Mount'),
);
export type PluginMount = Static<typeof PluginMount>;

export const PluginDevice = Type.Object(
  { Description: Type.String(), Name: Type.String(), Path: MaybeText, Settable: Texts },
  go('plugin.Device'),
);
export type PluginDevice = Static<typeof PluginDevice>;

const PluginArgs = Type.Object(
  { Description: Type.String(), Name: Type.String(), Settable: Texts, Value: Texts },
  go('plugin.Args'),
);

const PluginInterface = Type.Object(
  { ProtocolScheme: Type.Optional(Type.String()), Socket: Type.String(), Types: Texts },
  go('plugin.Interface'),
);

const PluginLinux = Type.Object(
  {
    AllowAllDevices: Type.Boolean(),
    Capabilities: Texts,
    Devices: Type.Union([Type.Array(PluginDevice), Type.Null()]),
  },
  go('plugin.LinuxConfig'),
);

/**
 * Additions for Cleat; stock Docker ignores it. An engine that does not know one of these members refuses
 * a manifest at `create`, so that nothing that an author relies on is left out silently.
 */
const PluginAdditions = Type.Object({
  /** Plugins (by name) or kinds (by label) that must answer before this one starts. */
  Needs: Type.Optional(Texts),
  /** The same, but only where they are enabled. */
  After: Type.Optional(Texts),
  /** How an upgrade behaves while somebody uses the plugin: refuse it (when absent), or end its calls first. */
  UpgradeInUse: Type.Optional(Type.String()),
  /** Names of `Env` whose values are never shown. Absent: those whose names say so. */
  Secret: Type.Optional(Texts),
  Resources: Type.Optional(
    Type.Object({
      /** Bytes. */
      Memory: Type.Optional(Type.Integer({ minimum: 0 })),
      /** Billionths of a processor. */
      NanoCpus: Type.Optional(Type.Integer({ minimum: 0 })),
      PidsLimit: Type.Optional(Type.Integer({ minimum: 0 })),
    }),
  ),
});

/** A plugin's manifest: the file `config.json` of what `docker plugin create` takes, and the config blob in a registry. */
export const PluginManifest = Type.Object(
  {
    Args: PluginArgs,
    Description: Type.String(),
    /** The version of the engine that made it; engines until 28 wrote it. */
    DockerVersion: Type.Optional(Type.String()),
    Documentation: Type.String(),
    Entrypoint: Texts,
    Env: Type.Union([Type.Array(PluginEnv), Type.Null()]),
    Interface: PluginInterface,
    IpcHost: Type.Boolean(),
    Linux: PluginLinux,
    Mounts: Type.Union([Type.Array(PluginMount), Type.Null()]),
    Network: Type.Object({ Type: Type.String() }, go('plugin.NetworkConfig')),
    PidHost: Type.Boolean(),
    PropagatedMount: Type.String(),
    User: Type.Object({ GID: Type.Optional(Uint32), UID: Type.Optional(Uint32) }, go('plugin.User')),
    WorkDir: Type.String(),
    rootfs: Type.Optional(Type.Object({ diff_ids: Texts, type: Type.Optional(Type.String()) }, go('plugin.RootFS'))),
    Cleat: Type.Optional(PluginAdditions),
  },
  go('plugin.Config'),
);
export type PluginManifest = Static<typeof PluginManifest>;
