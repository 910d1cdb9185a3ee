import { cgroupPath } from '@cleat/linux/cgroup/hierarchy';
import { invalidParameter } from '@cleat/protocol/errors';

/** The settings that decide where containers' control groups are. */
export interface CgroupConfig {
  /** `cgroupfs`, or `systemd`: then the runtime asks systemd for a scope. */
  readonly cgroupDriver: string;
  readonly cgroupParent: string;
}

export interface CgroupPlace {
  /** `linux.cgroupsPath` of the OCI specification. */
  readonly specified: string;
  /** Where it is below each mounted hierarchy. */
  readonly path: string;
}

/** Where containers go that nobody puts elsewhere; a dockerd beside us has `docker` to itself. */
const defaultParent = 'cleat';
const defaultSlice = 'system.slice';
/** Scopes are called `cleat-ID.scope`. */
const scopePrefix = 'cleat';

/** @param requested parent; empty: the engine's */
export function cgroupPlace(config: CgroupConfig, requested: string, id: string): CgroupPlace {
  const parent = requested || config.cgroupParent;
  if (config.cgroupDriver !== 'systemd') {
    const path = cgroupPath(parent || defaultParent, id);
    return { specified: path, path };
  }
  const slice = parent || defaultSlice;
  return {
    specified: `${slice}:${scopePrefix}:${id}`,
    path: cgroupPath(slicePath(slice), `${scopePrefix}-${id}.scope`),
  };
}

/** A slice is in those whose names it begins with: `a-b.slice` is `a.slice/a-b.slice` (systemd.slice(5)). */
export function slicePath(slice: string): string {
  const name = slice.slice(0, -'.slice'.length);
  if (name === '-') return '';
  const parts = name.split('-');
  return parts.map((_, at) => `${parts.slice(0, at + 1).join('-')}.slice`).join('/');
}

/** As moby `daemon/daemon_unix.go`, and what the runtimes' own rules would refuse later. @throws InvalidParameter */
export function checkCgroupParent({ cgroupDriver }: Pick<CgroupConfig, 'cgroupDriver'>, parent: string): void {
  if (cgroupDriver !== 'systemd' || parent === '' || isSlice(parent)) return;
  throw invalidParameter('cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"');
}

const isSlice = (name: string): boolean => /^(-|[^-/\0]+(-[^-/\0]+)*)\.slice$/.test(name);
