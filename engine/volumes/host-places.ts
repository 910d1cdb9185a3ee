/** Directories of the host itself: no volume lies there, nor is any of them one. */
const wholly = [
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/proc',
  '/sbin',
  '/sys',
  '/usr',
];

/** Directories that belong to everybody on the host; a volume may well lie below them. */
const themselves = ['/home', '/media', '/mnt', '/opt', '/root', '/run', '/srv', '/tmp', '/var', '/var/lib', '/var/log'];

/**
 * Whether a directory of the host's is no rightful mount point of a volume.
 * @param real absolute and without symlinks
 */
export function isSystems(real: string): boolean {
  return themselves.includes(real) || wholly.some((place) => real === place || real.startsWith(`${place}/`));
}
