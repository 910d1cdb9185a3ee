import type { PluginManifest, PluginSettings } from '../api/plugin.js';

/** Stands for a value that nobody is shown. */
export const hidden = '***';

const telling = /PASSW(OR)?D|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|(PRIVATE|ACCESS|API|ACCOUNT|STORAGE)_?KEY(?!_?ID)/i;

/**
 * Whether the values of a variable are hidden: those that the manifest lists under `Cleat.Secret`; of a manifest
 * without that list, which Docker's format does not have, those whose names say so.
 */
export function isSecret(manifest: PluginManifest, name: string): boolean {
  return manifest.Cleat?.Secret?.includes(name) ?? telling.test(name);
}

/** The settings as everybody may see them. An empty value is no secret, and seeing that it is missing helps. */
export function shownSettings(manifest: PluginManifest, settings: PluginSettings): PluginSettings {
  const Env = settings.Env.map((line) => {
    const [name, value] = cut(line);
    return value !== '' && isSecret(manifest, name) ? `${name}=${hidden}` : line;
  });
  return { ...settings, Env };
}

/** `NAME=VALUE` at its first `=`. */
export function cut(line: string): [name: string, value: string] {
  const at = line.indexOf('=');
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
}
