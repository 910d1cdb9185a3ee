import type { PluginManifest } from '../api/plugin.js';
import { isKindLabel, kindLabels } from '../kinds/index.js';
import { linuxCapabilities } from '../linux-capabilities.js';
import { nearest } from '../nearest.js';
import { type Faults, quoted } from './faults.js';
import { checkMounts } from './mounts.js';
import { isRuntime } from './types.js';

/** Fields of each that `docker plugin set` can change. */
export const settableFields = { Env: 'value', Args: 'value', Mounts: 'source', Devices: 'path' } as const;

const networks = ['none', 'host', 'bridge', 'null', ''];
const schemes = ['', 'moby.plugins.http/v1'];

/** Finds mistakes of an author, although the types are right: they would fail later, or be ignored. */
export function checkSense(manifest: PluginManifest, faults: Faults): void {
  const { Entrypoint, Args, Network, Cleat } = manifest;
  if (!Entrypoint?.[0]) faults.add('Entrypoint', 'must name the program to run');
  checkInterface(manifest, faults);
  checkSettable(Args.Settable, 'Args', 'Args.Settable', faults);
  if ((Args.Settable?.length ?? 0) > 0 && Args.Name === '') faults.add('Args.Name', 'must be given: it is settable');
  checkEnv(manifest, faults);
  checkMounts(manifest.Mounts ?? [], faults);
  checkLinux(manifest, faults);
  checkNames(manifest, faults);
  if (!networks.includes(Network.Type)) {
    faults.add('Network.Type', `must be one of none, host, bridge or null, not ${quoted(Network.Type)}`);
  }
  if (Cleat) checkAdditions(Cleat, manifest, faults);
}

function checkInterface(manifest: PluginManifest, faults: Faults): void {
  const { Interface } = manifest;
  if (Interface.Socket === '' && !isRuntime(manifest))
    faults.add('Interface.Socket', 'must name the socket that the plugin makes');
  if (!Interface.Types?.length) {
    faults.add('Interface.Types', 'must list what the plugin is, for example docker.volumedriver/1.0');
  }
  for (const [at, type] of (Interface.Types ?? []).entries()) {
    if (!/^[a-z][\w-]*(\.[\w-]+)+\/\d+(\.\d+)*$/i.test(type)) {
      const example = 'PREFIX.CAPABILITY/VERSION, for example docker.volumedriver/1.0';
      faults.add(`Interface.Types[${at}]`, `must have the form ${example}, not ${quoted(type)}`);
    }
  }
  const scheme = Interface.ProtocolScheme ?? '';
  if (!schemes.includes(scheme)) {
    faults.add('Interface.ProtocolScheme', `must be moby.plugins.http/v1 or empty, not ${quoted(scheme)}`);
  }
}

function checkEnv({ Env }: PluginManifest, faults: Faults): void {
  for (const [at, { Name, Settable }] of (Env ?? []).entries()) {
    if (Name === '') faults.add(`Env[${at}].Name`, 'must not be empty');
    checkSettable(Settable, 'Env', `Env[${at}].Settable`, faults);
  }
}

function checkLinux({ Linux }: PluginManifest, faults: Faults): void {
  const seen = new Set<string>();
  for (const [at, name] of (Linux.Capabilities ?? []).entries()) {
    const path = `Linux.Capabilities[${at}]`;
    if (!linuxCapabilities.includes(name)) {
      const near = nearest(name.slice(0, 40).toUpperCase(), linuxCapabilities) ?? prefixed(name);
      faults.add(path, `no capability is called ${quoted(name)}${near ? `; did you mean ${near}?` : ''}`);
    } else if (seen.has(name)) faults.add(path, `${name} is listed twice`);
    seen.add(name);
  }
  for (const [at, { Path, Settable }] of (Linux.Devices ?? []).entries()) {
    const path = `Linux.Devices[${at}]`;
    checkSettable(Settable, 'Devices', `${path}.Settable`, faults);
    if (Path === null || Path === '') {
      if (Path === null || !Settable?.includes('path')) {
        faults.add(`${path}.Path`, 'must be given; it may be "" where users can set it');
      }
    } else if (!/^\/dev\/+[^/]/.test(Path)) faults.add(`${path}.Path`, `must be below /dev, not ${quoted(Path)}`);
  }
}

/** `sys_admin` is meant for `CAP_SYS_ADMIN`. */
function prefixed(name: string): string | undefined {
  return linuxCapabilities.find((each) => each === `CAP_${name.toUpperCase()}`);
}

function checkSettable(
  settable: readonly string[] | null,
  of: keyof typeof settableFields,
  path: string,
  faults: Faults,
): void {
  for (const [at, field] of (settable ?? []).entries()) {
    if (field !== settableFields[of]) {
      faults.add(
        `${path}[${at}]`,
        `must be "${settableFields[of]}", which is all that can be set, not ${quoted(field)}`,
      );
    }
  }
}

/** `docker plugin set NAME=…` goes to the first that has the name: variables, mounts, devices, arguments. */
function checkNames({ Env, Mounts, Linux, Args }: PluginManifest, faults: Faults): void {
  const places = [
    ...(Env ?? []).map(({ Name }, at) => [Name, `Env[${at}].Name`] as const),
    ...(Mounts ?? []).map(({ Name }, at) => [Name, `Mounts[${at}].Name`] as const),
    ...(Linux.Devices ?? []).map(({ Name }, at) => [Name, `Linux.Devices[${at}].Name`] as const),
    [Args.Name, 'Args.Name'] as const,
  ];
  const first = new Map<string, string>();
  for (const [name, path] of places) {
    if (name === '') continue;
    const before = first.get(name);
    if (before === undefined) first.set(name, path);
    else faults.add(path, `${quoted(name)} is also ${before}; what users set by name needs names that differ`);
  }
}

function checkAdditions(
  additions: NonNullable<PluginManifest['Cleat']>,
  manifest: PluginManifest,
  faults: Faults,
): void {
  const { UpgradeInUse, Secret, Needs, After } = additions;
  if (UpgradeInUse !== undefined && UpgradeInUse !== 'drain') {
    faults.add('Cleat.UpgradeInUse', `must be "drain" or absent, not ${quoted(UpgradeInUse)}`);
  }
  for (const [at, name] of (Secret ?? []).entries()) {
    if (!manifest.Env?.some(({ Name }) => Name === name)) {
      faults.add(`Cleat.Secret[${at}]`, `no variable of Env is called ${quoted(name)}`);
    }
  }
  for (const [member, list] of Object.entries({ Needs, After })) {
    for (const [at, name] of (list ?? []).entries()) {
      if (!isKindLabel(name) && !/^[a-z0-9]+([._/:@-]+[a-zA-Z0-9]+)*$/.test(name)) {
        const kinds = kindLabels.join(', ');
        faults.add(`Cleat.${member}[${at}]`, `must be a plugin's name or one of ${kinds}, not ${quoted(name)}`);
      }
    }
  }
}
