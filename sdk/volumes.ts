/** Write a volume driver: a directory per volume, or one mount that several containers share. */

export { turns } from './turns.js';
export { VolumeDirectories } from './volumes/directories.js';
export { checkVolumeName, isVolumeName } from './volumes/names.js';
export { SharedMounts, type SharedMountsSettings } from './volumes/shared-mounts.js';
