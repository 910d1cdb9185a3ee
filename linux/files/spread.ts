import { closeSync, openSync } from 'node:fs';
import { callC } from '../syscall/ffi.js';

const FS_IOC_GETFLAGS = 0x80086601n;
const FS_IOC_SETFLAGS = 0x40086602n;
const FS_TOPDIR_FL = 0x00020000;

const prototype = 'int ioctl(int fd, unsigned long request, void *argument)';

/**
 * Tells the file system that the directories in `path` have nothing to do with each other, as those in `/home` (chattr
 * +T): ext4 then puts each of them where there is most room, instead of all beside each other. Without a journal, ext4
 * does not use the inode of a removed file again for minutes, and searches past all of them for each file that is made
 * beside them: without this, removing a layer of many files and unpacking another waits for that. Other file
 * systems know nothing of it.
 * @returns whether the file system takes it
 */
export function spreadDirectories(path: string): boolean {
  const directory = openSync(path, 'r');
  try {
    const flags = Buffer.alloc(8);
    callC(prototype, path, directory, FS_IOC_GETFLAGS, flags);
    const before = flags.readUInt32LE(0);
    if ((before & FS_TOPDIR_FL) !== 0) return true;
    flags.writeUInt32LE(before | FS_TOPDIR_FL, 0);
    callC(prototype, path, directory, FS_IOC_SETFLAGS, flags);
    return true;
  } catch {
    // A hint, no more: tmpfs, XFS, overlayfs and others have no such flag.
    return false;
  } finally {
    closeSync(directory);
  }
}
