import { callC } from './ffi.js';

/**
 * chroot(2), with the working directory inside. It concerns the whole process and cannot be taken back: only for
 * short-lived children of ours that work on a tree which must not lead them out of it. Everything that is loaded from
 * files (modules, shared libraries) must be loaded before.
 */
export function changeRoot(path: string): void {
  process.chdir(path);
  callC('int chroot(const char *path)', path, path);
  process.chdir('/');
}
