import { posix } from 'node:path';
import type { HostConfig, Mount } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';
import { volumeDestination } from '../../config-fields.js';
import type { BindMount, ImageMount, MountRecord, TmpfsMount, VolumeMount } from '../state/record.js';

/** A bind that was asked for, before its source is looked at. */
export interface RequestedBind extends BindMount {
  /** The user has said how mounts are passed on. */
  propagationGiven?: boolean;
  /** For `--mount`: the source must be there at create. */
  sourceMustExist?: boolean;
}

/** A volume that was asked for, before it is made, or found to be there. */
export interface RequestedVolume extends Omit<VolumeMount, 'name' | 'driver' | 'source'> {
  /** Absent: anonymous. */
  name?: string;
  volume: { driver?: string; options?: Record<string, string>; labels?: Record<string, string> };
}

/** An image that was asked for, before it is looked up. */
export type RequestedImage = Omit<ImageMount, 'imageId'>;

/** A {@link VolumeMount} or an {@link ImageMount} is another container's, which is there already. */
export type RequestedMount = RequestedBind | RequestedVolume | RequestedImage | VolumeMount | ImageMount | TmpfsMount;

const propagations = new Set(['private', 'rprivate', 'slave', 'rslave', 'shared', 'rshared']);
/** Words that may follow the second colon of `-v`, by group: at most one of each. */
const modeGroups: readonly ReadonlySet<string>[] = [
  new Set(['rw', 'ro']),
  new Set(['z', 'Z']),
  propagations,
  new Set(['nocopy']),
  new Set(['default', 'consistent', 'cached', 'delegated']),
];

function validMode(mode: string): boolean {
  if (mode === '') return true;
  const used = mode.split(',').map((option) => modeGroups.findIndex((group) => group.has(option)));
  return !used.includes(-1) && new Set(used).size === used.length;
}

const invalidSpec = (raw: string, why?: string) =>
  invalidParameter(`invalid volume specification: '${raw}'${why ? `: ${why}` : ''}`);

/** `-v [SOURCE:]DESTINATION[:MODE]` (moby `daemon/volume/mounts/linux_parser.go`). @throws InvalidParameter */
export function parseBind(raw: string, volumeDriver: string | undefined): RequestedBind | RequestedVolume {
  const parts = raw.split(':');
  if (parts[0] === '' || parts.length > 3) throw invalidSpec(raw);
  if (parts.length === 2 && validMode(parts[1] ?? '')) throw invalidSpec(raw);
  const [source, target, mode] = parts.length === 1 ? ['', raw, ''] : [parts[0] ?? '', parts[1] ?? '', parts[2] ?? ''];
  if (!validMode(mode)) throw invalidParameter(`invalid mode: ${mode}`);
  const type = posix.isAbsolute(source) ? 'bind' : 'volume';
  const why = targetProblem(target);
  if (why) throw invalidSpec(raw, `invalid mount config for type "${type}": ${why}`);
  const options = mode.split(',');
  const propagation = options.find((option) => propagations.has(option));
  if (type === 'volume' && propagation) {
    throw invalidSpec(raw, `invalid mount config for type "volume": field BindOptions must not be specified`);
  }
  if (type === 'bind' && options.includes('nocopy')) {
    throw invalidSpec(raw, `invalid mount config for type "bind": field VolumeOptions must not be specified`);
  }
  const common = { destination: posix.normalize(target), mode, rw: !options.includes('ro') };
  if (type === 'bind') {
    return {
      ...common,
      destination: clean(target),
      type,
      source: clean(source),
      propagation: propagation ?? 'rprivate',
      propagationGiven: propagation !== undefined,
      createSource: true,
    };
  }
  return {
    ...volumeAt(clean(target), { name: source, driver: volumeDriver }),
    rw: common.rw,
    mode: mode === '' ? 'z' : mode,
    noCopy: options.includes('nocopy') || undefined,
  };
}

/** @param destination absolute and clean */
function volumeAt(destination: string, options: { name?: string; driver?: string }): RequestedVolume {
  return {
    destination,
    rw: true,
    type: 'volume',
    name: options.name || undefined,
    anonymous: !options.name || undefined,
    propagation: '',
    mode: 'z',
    volume: { driver: options.driver || undefined },
  };
}

function targetProblem(target: string): string | undefined {
  if (target === '') return 'field Target must not be empty';
  if (clean(target) === '/') return "invalid specification: destination can't be '/'";
  if (!posix.isAbsolute(target)) return `invalid mount path: '${target}' mount path must be absolute`;
  return undefined;
}

/** Go's path.Clean. */
function clean(path: string): string {
  return posix.normalize(path).replace(/(.)\/+$/, '$1');
}

/** `--mount`. @throws InvalidParameter `invalid mount config for type "X": …` */
export function parseMount(mount: Mount): RequestedMount {
  const type = mount.Type ?? '';
  const fail = (why: string) => invalidParameter(`invalid mount config for type "${type}": ${why}`);
  const { BindOptions, VolumeOptions, TmpfsOptions, ImageOptions, ClusterOptions } = mount;
  if (BindOptions && type !== 'bind') throw fail('field BindOptions must not be specified');
  if (VolumeOptions && type !== 'volume') throw fail('field VolumeOptions must not be specified');
  if (TmpfsOptions && type !== 'tmpfs') throw fail('field TmpfsOptions must not be specified');
  if (ImageOptions && type !== 'image') throw fail('field ImageOptions must not be specified');
  if (ClusterOptions && type !== 'cluster') throw fail('field ClusterOptions must not be specified');
  const why = targetProblem(mount.Target ?? '');
  if (why) throw fail(why);
  const source = mount.Source ?? '';
  const common = { destination: clean(mount.Target ?? ''), mode: '', rw: mount.ReadOnly !== true };
  if (type === 'bind') {
    if (source === '') throw fail('field Source must not be empty');
    const propagation = BindOptions?.Propagation || 'rprivate';
    if (!propagations.has(propagation)) throw fail(`invalid propagation mode: ${propagation}`);
    if (!posix.isAbsolute(source)) throw fail(`invalid mount path: '${source}' mount path must be absolute`);
    const createSource = BindOptions?.CreateMountpoint === true;
    refuseReadOnlyConflicts(mount);
    return {
      ...common,
      type,
      source: clean(source),
      propagation,
      propagationGiven: Boolean(BindOptions?.Propagation),
      createSource: createSource || undefined,
      sourceMustExist: !createSource,
      nonRecursive: BindOptions?.NonRecursive || undefined,
      readOnlyNonRecursive: BindOptions?.ReadOnlyNonRecursive || undefined,
      readOnlyForceRecursive: BindOptions?.ReadOnlyForceRecursive || undefined,
    };
  }
  if (type === 'volume') {
    const subpath = VolumeOptions?.Subpath || undefined;
    if (subpath && source === '') throw fail('must not set Subpath when using anonymous volumes');
    if (subpath && !isLocal(subpath)) throw fail('subpath must be a relative path within the volume');
    return {
      ...common,
      type,
      name: source || undefined,
      anonymous: source === '' || undefined,
      propagation: '',
      mode: 'z',
      noCopy: VolumeOptions?.NoCopy || undefined,
      subpath,
      driverOptions: VolumeOptions?.DriverConfig?.Options ?? undefined,
      volume: {
        driver: VolumeOptions?.DriverConfig?.Name || undefined,
        options: VolumeOptions?.DriverConfig?.Options ?? undefined,
        labels: VolumeOptions?.Labels ?? undefined,
      },
    };
  }
  if (type === 'tmpfs') {
    if (source !== '') throw fail('field Source must not be specified');
    const options: string[] = [];
    if (TmpfsOptions?.Mode) options.push(`mode=${TmpfsOptions.Mode.toString(8)}`);
    if (TmpfsOptions?.SizeBytes) options.push(`size=${TmpfsOptions.SizeBytes}`);
    for (const option of TmpfsOptions?.Options ?? []) {
      if (option.length < 1 || option.length > 2) throw fail('invalid option array length');
      if (option[0] !== 'exec' && option[0] !== 'noexec') throw fail(`invalid option: ${option[0]}`);
      options.push(option.join('='));
    }
    return { ...common, type, source: '', propagation: '', options };
  }
  if (type === 'image') {
    if (source === '') throw fail('field Source must not be empty');
    const subpath = ImageOptions?.Subpath || undefined;
    if (subpath && !isLocal(subpath)) throw fail('subpath must be a relative path within the volume');
    return { ...common, rw: false, type, source, propagation: 'rprivate', subpath };
  }
  throw fail('mount type unknown');
}

/** Moby says these at start (`daemon/volumes_unix.go`); here nothing is made of what can never start. */
function refuseReadOnlyConflicts({ ReadOnly, BindOptions }: Mount): void {
  const conflict = (what: string) => invalidParameter(`mount options conflict: ${what}`);
  if (!ReadOnly && BindOptions?.ReadOnlyNonRecursive) throw conflict('!ReadOnly && BindOptions.ReadOnlyNonRecursive');
  if (!ReadOnly && BindOptions?.ReadOnlyForceRecursive) {
    throw conflict('!ReadOnly && BindOptions.ReadOnlyForceRecursive');
  }
  if (BindOptions?.ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive) {
    throw conflict('ReadOnlyNonRecursive && ReadOnlyForceRecursive');
  }
}

function isLocal(path: string): boolean {
  return path !== '' && !posix.isAbsolute(path) && clean(path) !== '..' && !clean(path).startsWith('../');
}

/** Another container's mount, for one that comes later. */
function taken(mount: BindMount | VolumeMount, rw: boolean): BindMount | VolumeMount {
  return mount.type === 'bind' ? { ...mount, rw, createSource: undefined } : { ...mount, rw, noCopy: true };
}

/** `--volumes-from CONTAINER[:MODE]`. @throws InvalidParameter */
export function parseVolumesFrom(spec: string): { container: string; readOnly: boolean } {
  if (spec === '') throw invalidParameter('volumes-from specification cannot be an empty string');
  const at = spec.indexOf(':');
  const [container, mode] = at < 0 ? [spec, 'rw'] : [spec.slice(0, at), spec.slice(at + 1) || 'rw'];
  const options = mode.split(',');
  if (!validMode(mode) || options.some((option) => propagations.has(option) || option === 'nocopy')) {
    throw invalidParameter(`invalid mode: ${mode}`);
  }
  return { container, readOnly: options.includes('ro') };
}

/**
 * Everything that is to be mounted, by destination: `--volumes-from`, then `-v`, then `--mount`, then the image's and
 * the container's `Volumes` where nothing else is. @throws InvalidParameter `Duplicate mount point: X`
 */
export function collectMounts(
  hostConfig: HostConfig,
  volumes: readonly string[],
  mountsOf: (container: string) => readonly MountRecord[],
): RequestedMount[] {
  const byDestination = new Map<string, RequestedMount>();
  for (const spec of hostConfig.VolumesFrom ?? []) {
    const { container, readOnly } = parseVolumesFrom(spec);
    for (const mount of mountsOf(container)) {
      if (mount.type === 'tmpfs') continue;
      byDestination.set(mount.destination, mount.type === 'image' ? mount : taken(mount, mount.rw && !readOnly));
    }
  }
  const explicit = new Set<string>();
  const add = (mount: RequestedMount) => {
    if (explicit.has(mount.destination) || hostConfig.Tmpfs?.[mount.destination] !== undefined) {
      throw invalidParameter(`Duplicate mount point: ${mount.destination}`);
    }
    explicit.add(mount.destination);
    byDestination.set(mount.destination, mount);
  };
  for (const raw of hostConfig.Binds ?? []) add(parseBind(raw, hostConfig.VolumeDriver));
  for (const mount of hostConfig.Mounts ?? []) add(parseMount(mount));
  for (const key of volumes) {
    const destination = volumeDestination(key);
    if (byDestination.has(destination) || hostConfig.Tmpfs?.[destination] !== undefined) continue;
    byDestination.set(destination, volumeAt(destination, { driver: hostConfig.VolumeDriver }));
  }
  return [...byDestination.values()];
}
