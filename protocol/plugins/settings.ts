import type { PluginManifest, PluginSettings } from '../api/plugin.js';
import { type CleatError, invalidParameter } from '../errors.js';
import { readable } from '../untrusted.js';
import { cut } from './secrets.js';
import { settableFields } from './sense.js';

export type { PluginSettings } from '../api/plugin.js';
export { shownSettings } from './secrets.js';

/** More is no setting of a person's, and each becomes part of a record. */
const bounds = { args: 512, value: 64 * 1024 } as const;

/** The settings of a plugin that nobody has set anything of. */
export function defaultSettings(manifest: PluginManifest): PluginSettings {
  return {
    Args: [...(manifest.Args.Value ?? [])],
    Devices: (manifest.Linux.Devices ?? []).map((device) => ({ ...device })),
    Env: (manifest.Env ?? []).flatMap(({ Name, Value }) => (Value === null ? [] : [`${Name}=${Value}`])),
    Mounts: (manifest.Mounts ?? []).map((mount) => ({ ...mount })),
  };
}

/**
 * `docker plugin set PLUGIN NAME[.FIELD][=VALUE]…`, with the refusals of moby's `v2/settable.go` in its words. All
 * or nothing: moby keeps what came before a refusal. A name is looked for among variables, mounts, devices, and the
 * arguments, in this order.
 * @returns new settings
 * @throws InvalidParameter
 */
export function applySettings(
  manifest: PluginManifest,
  settings: PluginSettings,
  args: readonly string[],
): PluginSettings {
  if (args.length > bounds.args) throw invalidParameter(`more than ${bounds.args} settings at once`);
  return args.map(parseSetting).reduce((before, setting) => apply(manifest, before, setting), settings);
}

/**
 * The settings of a plugin after an upgrade: what the user had set stays wherever the new manifest lets it be set. Nobody can
 * set what the publisher chose.
 */
export function carriedOver(
  oldManifest: PluginManifest,
  oldSettings: PluginSettings,
  newManifest: PluginManifest,
): PluginSettings {
  const usual = defaultSettings(oldManifest);
  const chosen = [
    ...oldSettings.Env.filter((line) => !usual.Env.includes(line)),
    ...oldSettings.Mounts.flatMap(({ Name, Source }, at) =>
      Source === null || Source === usual.Mounts[at]?.Source ? [] : [`${Name}.source=${Source}`],
    ),
    ...oldSettings.Devices.flatMap(({ Name, Path }, at) =>
      Path === null || Path === usual.Devices[at]?.Path ? [] : [`${Name}.path=${Path}`],
    ),
    ...(oldSettings.Args.join('\0') === usual.Args.join('\0')
      ? []
      : [`${oldManifest.Args.Name}.value=${oldSettings.Args.join(' ')}`]),
  ];
  return chosen.reduce((settings, line) => {
    try {
      return applySettings(newManifest, settings, [line]);
    } catch {
      // It cannot be set any longer, or it is another thing by now.
      return settings;
    }
  }, defaultSettings(newManifest));
}

interface Setting {
  readonly name: string;
  readonly field: string;
  readonly value: string;
}

function parseSetting(text: string): Setting {
  if (text.startsWith('=')) throw invalidParameter('invalid format, must be <name>[.<field>][=<value>]');
  const [name, value] = cut(text);
  if (value.length > bounds.value) throw invalidParameter(`the value of ${shown(name)} is too long`);
  if (text.includes('\0')) throw invalidParameter(`the setting ${shown(name)} contains a null byte`);
  const dot = name.lastIndexOf('.');
  return dot > 0 ? { name: name.slice(0, dot), field: name.slice(dot + 1), value } : { name, field: '', value };
}

function apply(manifest: PluginManifest, settings: PluginSettings, setting: Setting): PluginSettings {
  const { name, value } = setting;
  const variable = manifest.Env?.find(({ Name }) => Name === name);
  if (variable) {
    checkSettable(setting, settableFields.Env, variable.Settable);
    return { ...settings, Env: withVariable(settings.Env, name, value) };
  }
  const mount = manifest.Mounts?.findIndex(({ Name }) => Name === name) ?? -1;
  if (mount >= 0) {
    const { Settable = null, Source = null } = manifest.Mounts?.[mount] ?? {};
    checkSettable(setting, settableFields.Mounts, Settable);
    if (Source === null) throw invalidParameter('plugin config has no mount source');
    return { ...settings, Mounts: settings.Mounts.map((one, at) => (at === mount ? { ...one, Source: value } : one)) };
  }
  const device = manifest.Linux.Devices?.findIndex(({ Name }) => Name === name) ?? -1;
  if (device >= 0) {
    const { Settable = null, Path = null } = manifest.Linux.Devices?.[device] ?? {};
    checkSettable(setting, settableFields.Devices, Settable);
    if (Path === null) throw invalidParameter('plugin config has no device path');
    return { ...settings, Devices: settings.Devices.map((one, at) => (at === device ? { ...one, Path: value } : one)) };
  }
  if (manifest.Args.Name === name) {
    checkSettable(setting, settableFields.Args, manifest.Args.Settable);
    return { ...settings, Args: value.split(' ') };
  }
  throw invalidParameter(`setting ${shown(name)} not found in the plugin configuration`);
}

/** A field that is not given is the only settable one. */
function checkSettable({ name, field }: Setting, allowed: string, settable: readonly string[] | null): void {
  const list = settable ?? [];
  if (field === '' && list.length > 1) {
    throw invalidParameter('multiple fields are settable, one must be specified');
  }
  const meant = field === '' ? (list[0] ?? '') : field;
  if (meant !== allowed || !list.includes(meant)) throw notSettable(meant === '' ? name : `${name}.${meant}`);
}

const notSettable = (name: string): CleatError => invalidParameter(`${shown(name)} is not settable`);

const shown = (name: string): string => JSON.stringify(readable(name, 200));

function withVariable(env: readonly string[], name: string, value: string): string[] {
  const at = env.findIndex((line) => cut(line)[0] === name);
  const line = `${name}=${value}`;
  return at < 0 ? [...env, line] : env.with(at, line);
}
