/** Write a volume driver that keeps a directory per volume: what Docker's `local` driver does is done here. */
export { VolumeDirectories } from './volumes/directories.js';
export { checkVolumeName, isVolumeName } from './volumes/names.js';
export { turns } from './volumes/turns.js';
