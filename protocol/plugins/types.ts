import type { PluginManifest } from '../api/plugin.js';
import { type Kind, kinds } from '../kinds/index.js';

/** An interface type of a manifest, `docker.volumedriver/1.0`, in its parts, as Docker takes it apart. */
export interface InterfaceType {
  readonly prefix: string;
  readonly capability: string;
  readonly version: string;
}

export function parseType(text: string): InterfaceType {
  const slash = text.indexOf('/');
  const name = slash < 0 ? text : text.slice(0, slash);
  const dot = name.lastIndexOf('.');
  return {
    prefix: name.slice(0, Math.max(dot, 0)),
    capability: name.slice(dot + 1),
    version: slash < 0 ? '' : text.slice(slash + 1),
  };
}

/**
 * The kinds that a manifest names, by what their implementations answer to activation (`VolumeDriver`). Docker's prefix with
 * the capability in lower case, or `cleat.LABEL/VERSION`. Types that this engine does not know are left out: nothing here
 * asks such a plugin anything.
 */
export function kindsOf(manifest: PluginManifest): string[] {
  const found = typesOf(manifest).flatMap((type) => {
    const kind = kinds.find(({ name, label }) =>
      type.prefix === 'docker'
        ? name.toLowerCase() === type.capability
        : type.prefix === 'cleat' && label === type.capability,
    );
    return kind === undefined ? [] : [kind.name];
  });
  return [...new Set(found)];
}

/** How a manifest names a kind: Docker's way for what a stock engine takes, too. */
export function typeOf(kind: Kind): string {
  return kind.stockDocker === 'not at all'
    ? `cleat.${kind.label}/${kind.version}`
    : `docker.${kind.name.toLowerCase()}/1.0`;
}

/** The same by what an implementation answers to activation. */
export function typeForKind(capability: string): string {
  const kind = kinds.find(({ name }) => name === capability);
  return kind ? typeOf(kind) : capability;
}

/** The plugin brings an OCI runtime: it is run for containers, and answers no kind. */
export function isRuntime(manifest: PluginManifest): boolean {
  return typesOf(manifest).some(
    ({ prefix, capability }) => capability === 'runtime' && (prefix === 'cleat' || prefix === 'docker'),
  );
}

/** The words that `docker plugin ls --filter capability=X` compares with. */
export const capabilitiesOf = (manifest: PluginManifest): string[] =>
  typesOf(manifest).map(({ capability }) => capability);

const typesOf = (manifest: PluginManifest): InterfaceType[] => (manifest.Interface.Types ?? []).map(parseType);
