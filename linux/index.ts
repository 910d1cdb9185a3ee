/**
 * The parts of this room that an extension's author may want: mounts, running commands, facts about the host. The
 * rest is imported by its path (`@cleat/linux/conmon/create`).
 */
export { findCommand, type HostFacts, hasFileSystem, hostFacts, sysctl } from './host.js';
export { type IdRange, mountIdmapped, type OwnerMap } from './mount/idmapped.js';
export { bind, makePrivate, makeShared, mountTmpfs, unmount, unmountAll } from './mount/mount.js';
export { isMountPoint, listMounts, type MountEntry } from './mount/mountinfo.js';
export { mountOverlay, type OverlayMount } from './mount/overlay.js';
export { isAlive, type ProcessIdentity, processIdentity } from './process/identity.js';
export { type RunOptions, type RunResult, run } from './process/run.js';
export { errnoOf } from './syscall/errno.js';
