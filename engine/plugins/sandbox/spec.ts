import type { PluginManifest } from '@cleat/protocol/api/plugin';
import { invalidParameter } from '@cleat/protocol/errors';
import { effectiveCapabilities } from '../../oci/capabilities.js';
import { defaultDeviceRules, devicesAt, everyDevice } from '../../oci/devices.js';
import { defaultPath, mergeEnvironment } from '../../oci/environment.js';
import { maskedPaths, readonlyPaths } from '../../oci/paths.js';
import { limits } from '../../oci/resources.js';
import { seccompFor } from '../../oci/seccomp.js';
import type { OciDevice, OciDeviceRule, OciProcess, OciSpec } from '../../oci/types.js';
import { mountsFor, type OwnMount, propagationOf } from './mounts.js';
import type { SandboxConfig, SandboxedPlugin } from './types.js';

export type PluginNetwork = { kind: 'own' } | { kind: 'host' } | { kind: 'path'; path: string };

export interface SpecRequest {
  readonly plugin: SandboxedPlugin;
  readonly config: Pick<SandboxConfig, 'defaultCgroupnsMode' | 'seccompProfile'>;
  readonly rootfs: string;
  readonly propagated: string;
  readonly network: PluginNetwork;
  readonly own: readonly OwnMount[];
  readonly cgroupsPath: string;
}

/**
 * The OCI configuration of a plugin: moby's `InitSpec` (`daemon/pkg/plugin/v2/plugin_linux.go`), and in addition its
 * `User`, which moby ignores; a filter for system calls, and limits. What the manifest does not ask for is not there.
 * @throws InvalidParameter for what cannot be
 */
export function specFor({ plugin, config, rootfs, propagated, network, own, cgroupsPath }: SpecRequest): OciSpec {
  const { manifest, settings } = plugin;
  const privateCgroups = config.defaultCgroupnsMode === 'private';
  const mounts = mountsFor({ manifest, settings, propagated, own, privateCgroups });
  const { devices, rules } = devicesFor(plugin);
  const { Memory, NanoCpus, PidsLimit } = manifest.Cleat?.Resources ?? {};
  return {
    ociVersion: '1.0.2',
    process: processFor(plugin),
    root: { path: rootfs, readonly: false },
    mounts,
    linux: {
      namespaces: namespacesFor(manifest, network, privateCgroups),
      cgroupsPath,
      resources: { ...limits({ Memory, NanoCpus, PidsLimit }), devices: rules },
      devices: devices.length > 0 ? devices : undefined,
      seccomp: seccompFor(undefined, config.seccompProfile, granted(manifest)),
      maskedPaths,
      readonlyPaths,
      rootfsPropagation: propagationOf(mounts),
    },
  };
}

/** All that it may come to hold: what every container may, and what it asked for. */
const granted = (manifest: PluginManifest): string[] =>
  effectiveCapabilities(false, manifest.Linux.Capabilities ?? [], []);

export function processFor({ manifest, settings }: SandboxedPlugin): OciProcess {
  const args = [...(manifest.Entrypoint ?? []), ...settings.Args];
  if (args.length === 0) throw invalidParameter('the plugin has no Entrypoint: there is nothing to run');
  const { UID = 0, GID = 0 } = manifest.User;
  return {
    terminal: false,
    user: { uid: UID, gid: GID, additionalGids: [] },
    args,
    env: environmentOf(settings.Env),
    cwd: manifest.WorkDir || '/',
    capabilities: capabilitiesFor(manifest, UID),
    noNewPrivileges: false,
    oomScoreAdj: 0,
  };
}

export const environmentOf = (own: readonly string[]): string[] => mergeEnvironment([`PATH=${defaultPath}`], own);

/** A user other than root holds what the manifest asks for, and only that: it would have been granted for nothing. */
export function capabilitiesFor(manifest: PluginManifest, uid: number): OciProcess['capabilities'] {
  const bounding = granted(manifest);
  if (uid === 0) return { bounding, effective: bounding, permitted: bounding, inheritable: [], ambient: [] };
  const held = effectiveCapabilities(false, manifest.Linux.Capabilities ?? [], ['ALL']);
  return { bounding, effective: held, permitted: held, inheritable: held, ambient: held };
}

function namespacesFor(manifest: PluginManifest, network: PluginNetwork, privateCgroups: boolean) {
  const list: OciSpec['linux']['namespaces'] = [{ type: 'mount' }, { type: 'uts' }];
  if (!manifest.PidHost) list.push({ type: 'pid' });
  if (!manifest.IpcHost) list.push({ type: 'ipc' });
  if (privateCgroups) list.push({ type: 'cgroup' });
  if (network.kind === 'own') list.push({ type: 'network' });
  if (network.kind === 'path') list.push({ type: 'network', path: network.path });
  return list;
}

function devicesFor({ manifest, settings }: SandboxedPlugin): { devices: OciDevice[]; rules: OciDeviceRule[] } {
  const rules = manifest.Linux.AllowAllDevices ? [everyDevice] : [...defaultDeviceRules];
  const devices = settings.Devices.flatMap(({ Name, Path }) => {
    if (Path) return devicesAt(Path, Path);
    throw invalidParameter(`device path is not specified: ${JSON.stringify(Name)} is to be set before`);
  });
  for (const { type, major, minor } of devices) rules.push({ allow: true, type, major, minor, access: 'rwm' });
  return { devices, rules };
}
