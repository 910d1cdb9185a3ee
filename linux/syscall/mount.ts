import { callC } from './ffi.js';

/** Flags of mount(2), from linux/mount.h. */
export const mountFlag = {
  readOnly: 1,
  noSuid: 2,
  noDev: 4,
  noExec: 8,
  remount: 32,
  bind: 4096,
  recursive: 16384,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
} as const;

/** Flags of umount2(2). */
export const unmountFlag = { force: 1, detach: 2, noFollow: 8 } as const;

/** mount(2). Only for paths under the engine's own roots: a hung file system blocks the caller. */
export function mount(source: string, target: string, type: string | null, flags: number, data: string | null): void {
  callC(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
    target,
    source,
    target,
    type,
    flags,
    data,
  );
}

/** umount2(2). With `unmountFlag.detach` it takes no time even when the back end hangs. */
export function unmount2(target: string, flags: number): void {
  callC('int umount2(const char *target, int flags)', target, target, flags);
}
