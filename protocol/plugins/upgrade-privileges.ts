import type { PluginManifest, PluginMount, PluginPrivilege, PluginSettings } from '../api/plugin.js';
import { newPrivileges, privilegesOf } from './privileges.js';
import { kindsOf, typeForKind } from './types.js';

/** A version of a plugin, with what its user has set. */
export interface PluginVersion {
  readonly manifest: PluginManifest;
  readonly settings: PluginSettings;
}

/**
 * The permissions that an upgrade needs beyond those that the present version has. Sources of mounts and paths of devices are
 * the real ones: what a user has set and the new version takes over is not new, and what it does not take over is.
 *
 * In addition it names what Docker's list does not tell apart, and what is wider now: mounts that become writable, a user
 * that becomes root, limits that are raised. So the stock client shows it, too.
 */
export function upgradePrivileges(before: PluginVersion, after: PluginVersion): PluginPrivilege[] {
  return [...newPrivileges(privilegesOf(effective(before)), privilegesOf(effective(after))), ...widened(before, after)];
}

const effective = ({ manifest, settings }: PluginVersion): PluginManifest => ({
  ...manifest,
  Mounts: settings.Mounts,
  Linux: { ...manifest.Linux, Devices: settings.Devices },
});

function widened(before: PluginVersion, after: PluginVersion): PluginPrivilege[] {
  const [was, is] = [before.manifest, after.manifest];
  const list: PluginPrivilege[] = [];
  const add = (Name: string, Description: string, Value: readonly string[]): void => {
    if (Value.length > 0) list.push({ Name, Description, Value: [...Value] });
  };
  const hadNetwork = ['host', 'bridge'].includes(was.Network.Type);
  if (is.Network.Type === 'bridge' && !hadNetwork)
    add('network', 'a network of its own on the default bridge', ['bridge']);
  add('mount options', 'rights on a host path that it did not have before', wider(before.settings, after.settings));
  if (was.PropagatedMount === '' && is.PropagatedMount !== '') {
    add('propagated mount', 'what it mounts there is seen on the host', [is.PropagatedMount]);
  }
  const [{ UID = 0, GID = 0 }, { UID: uid = 0, GID: gid = 0 }] = [was.User, is.User];
  if (UID !== 0 && (uid !== UID || gid !== GID)) add('user', 'run as another user', [`${uid}:${gid}`]);
  add('resources', 'more of this host than before', raised(was, is));
  const kinds = new Set(kindsOf(was));
  add(
    'interface',
    'be asked by the engine for more than before',
    kindsOf(is)
      .filter((kind) => !kinds.has(kind))
      .map(typeForKind),
  );
  return list;
}

/** Limits that are higher now, or gone, such as `Memory: 268435456` (bytes), `PidsLimit: none`. */
function raised({ Cleat: was }: PluginManifest, { Cleat: is }: PluginManifest): string[] {
  return (['Memory', 'NanoCpus', 'PidsLimit'] as const).flatMap((name) => {
    const limit = limitOf(is?.Resources?.[name]);
    if (limit <= limitOf(was?.Resources?.[name])) return [];
    return [`${name}: ${Number.isFinite(limit) ? limit : 'none'}`];
  });
}

/** Infinite where nothing is limited, as 0 says. */
const limitOf = (value: number | null | undefined): number => (value && value > 0 ? value : Number.POSITIVE_INFINITY);

/** For each host path that both mount: the rights on it that are new, such as `/data: rw`. */
function wider(before: PluginSettings, after: PluginSettings): string[] {
  const had = rightsBySource(before.Mounts);
  return [...rightsBySource(after.Mounts)].flatMap(([source, rights]) => {
    const present = had.get(source);
    // A mount that is new is named by itself.
    if (!present) return [];
    const added = [...rights].filter((right) => !present.has(right)).sort();
    return added.length === 0 ? [] : [`${source}: ${added.join(' ')}`];
  });
}

function rightsBySource(mounts: readonly PluginMount[]): Map<string, Set<string>> {
  const all = new Map<string, Set<string>>();
  for (const mount of mounts) {
    if (!mount.Source) continue;
    const rights = all.get(mount.Source) ?? new Set();
    for (const right of rightsOf(mount)) rights.add(right);
    all.set(mount.Source, rights);
  }
  return all;
}

/** Options that take a right away, and the right; the last of a pair counts, as with mount(8). */
const restrictions: readonly (readonly [restricted: string, right: string])[] = [
  ['ro', 'rw'],
  ['nosuid', 'suid'],
  ['nodev', 'dev'],
  ['noexec', 'exec'],
];

/** Options that give nothing: how times are kept, and that mounts stay where they are. */
const harmless = new Set(['bind', 'private', 'rprivate', 'noatime', 'nodiratime', 'relatime', 'strictatime', 'sync']);

function rightsOf({ Type, Options }: PluginMount): string[] {
  const options = Options ?? [];
  const paired = new Set(restrictions.flat());
  const isBind = Type === 'bind' || options.includes('bind') || options.includes('rbind');
  return [
    ...restrictions.flatMap(([restricted, right]) =>
      options.lastIndexOf(restricted) > options.lastIndexOf(right) ? [] : [right],
    ),
    // Also what only a file system knows: its options are not judged.
    ...options.filter((option) => !paired.has(option) && !harmless.has(option)),
    ...(isBind ? [] : [`type=${Type}`]),
  ];
}
