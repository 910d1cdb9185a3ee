/**
 * The parts of Linux that plugins need and Node.js does not have: mounts, links, the firewall of a host with
 * Docker on it, commands with a deadline. The only part of this package that needs `@cleat/linux` (and with it native
 * code): install that, too, to use it.
 *
 * Mounts here are made in process, which waits for them: use them below a directory of your own, not on what a server
 * that may be silent has to answer for.
 */
export { assertForward } from '@cleat/linux/firewall/forward';
export {
  bind,
  makePrivate,
  makeShared,
  mountTmpfs,
  type TmpfsOptions,
  unmount,
  unmountAll,
} from '@cleat/linux/mount/mount';
export { isMountPoint, listMounts, type MountEntry, mountOf } from '@cleat/linux/mount/mountinfo';
export { interfaceNames, linksByAlias, readSysctl, usedBlocks, writeSysctl } from '@cleat/linux/net/facts';
export { type HostLinks, hostLinks } from '@cleat/linux/net/links';
export { isAlive, type ProcessIdentity, processIdentity } from '@cleat/linux/process/identity';
export { type RunOptions, type RunResult, run as runCommand } from '@cleat/linux/process/run';
export { errnoOf } from '@cleat/linux/syscall/errno';
