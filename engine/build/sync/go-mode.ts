/** Bits of Go's os.FileMode beside the nine of permissions (golang/go `src/io/fs/fs.go`). */
const bits = {
  directory: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  fifo: 2 ** 25,
  socket: 2 ** 24,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  characterDevice: 2 ** 21,
  sticky: 2 ** 20,
  irregular: 2 ** 19,
} as const;

export type FileType = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'device' | 'irregular';

const has = (mode: number, bit: number): boolean => Math.floor(mode / bit) % 2 === 1;

export function typeOf(mode: number): FileType {
  if (has(mode, bits.directory)) return 'directory';
  if (has(mode, bits.symlink)) return 'symlink';
  if (has(mode, bits.device) || has(mode, bits.characterDevice)) return 'device';
  if (has(mode, bits.fifo)) return 'fifo';
  if (has(mode, bits.socket)) return 'socket';
  return has(mode, bits.irregular) ? 'irregular' : 'file';
}

/** Permissions with set-id and sticky bits, as Linux has them. */
export function permissionsOf(mode: number): number {
  const special = [
    [bits.setuid, 0o4000],
    [bits.setgid, 0o2000],
    [bits.sticky, 0o1000],
  ] as const;
  return special.reduce((all, [bit, linux]) => (has(mode, bit) ? all | linux : all), mode % 0o1000);
}

/** The other way round, for a file that goes to a client. */
export function modeOf(type: FileType, permissions: number): number {
  const kinds: Readonly<Record<FileType, number>> = { ...bits, file: 0 };
  const special = (bit: number, linux: number): number => (permissions & linux ? bit : 0);
  return (
    kinds[type] +
    special(bits.setuid, 0o4000) +
    special(bits.setgid, 0o2000) +
    special(bits.sticky, 0o1000) +
    (permissions & 0o777)
  );
}
