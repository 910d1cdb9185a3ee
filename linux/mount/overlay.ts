import { closeSync, constants, openSync } from 'node:fs';
import { invalidParameter } from '@cleat/protocol/errors';
import { mount as mountSyscall } from '../syscall/mount.js';

export interface OverlayMount {
  /** Read-only layers, the topmost first; at least one. */
  lower: readonly string[];
  /** The writable layer. Without it (and `work`) the mount is read-only, and two lower layers are needed. */
  upper?: string;
  /** An empty directory on the same file system as `upper`. */
  work?: string;
  /** An existing directory. */
  target: string;
  /** Further overlay options, for example `metacopy=off` or `volatile`. */
  options?: readonly string[];
  /** mountFlag bits. */
  flags?: number;
  /** The name that /proc/mounts shows. Default `overlay`. */
  source?: string;
}

/** mount(2) copies one page of options, its last byte being the NUL. */
const pageLimit = 4095;

/**
 * Mounts an overlay. When the layers' paths do not fit into the one page that mount(2) takes, or hold a `:` or `,`,
 * each layer is opened and named by its descriptor (`/proc/self/fd/N`), which carries some 200 layers whatever
 * their names are.
 * @throws CleatError InvalidParameter when even that is too long; System when the kernel refuses
 */
export function mountOverlay(overlay: OverlayMount): void {
  const paths = [...overlay.lower, overlay.upper ?? '', overlay.work ?? ''];
  const plain = optionText(overlay, overlay.lower);
  if (Buffer.byteLength(plain) <= pageLimit && !paths.some((path) => /[:,\\]/.test(path))) {
    mountWith(overlay, plain);
    return;
  }
  const descriptors: number[] = [];
  const named = (path: string): string => {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    descriptors.push(fd);
    return `/proc/self/fd/${fd}`;
  };
  try {
    const data = optionText(
      { ...overlay, upper: overlay.upper && named(overlay.upper), work: overlay.work && named(overlay.work) },
      overlay.lower.map(named),
    );
    if (Buffer.byteLength(data) > pageLimit) {
      throw invalidParameter(`an overlay of ${overlay.lower.length} layers does not fit into one mount`);
    }
    mountWith(overlay, data);
  } finally {
    for (const fd of descriptors) closeSync(fd);
  }
}

function optionText(overlay: OverlayMount, lower: readonly string[]): string {
  const parts = [`lowerdir=${lower.join(':')}`];
  if (overlay.upper) parts.push(`upperdir=${overlay.upper}`);
  if (overlay.work) parts.push(`workdir=${overlay.work}`);
  return [...parts, ...(overlay.options ?? [])].join(',');
}

function mountWith(overlay: OverlayMount, data: string): void {
  mountSyscall(overlay.source ?? 'overlay', overlay.target, 'overlay', overlay.flags ?? 0, data);
}
