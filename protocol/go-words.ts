/**
 * Errors of file system calls as an engine written in Go tells them: Node says `ENOSPC: no space left on device, mkdir
 * '/x'`, Go `mkdir /x: no space left on device`, and clients, scripts and people look for the latter.
 */

/** The kernel's texts as Go has them (`syscall/zerrors_linux_amd64.go`), where libuv words them in another way. */
const texts: Readonly<Record<string, string>> = {
  EBUSY: 'device or resource busy',
  EEXIST: 'file exists',
  EFAULT: 'bad address',
  EIO: 'input/output error',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  ENFILE: 'too many open files in system',
  ENOMEM: 'cannot allocate memory',
  ENOTSUP: 'operation not supported',
  ESPIPE: 'illegal seek',
  ETXTBSY: 'text file busy',
  EXDEV: 'invalid cross-device link',
};

/** Those that libuv has no name for, by their number. */
const unnamed: Readonly<Record<string, string>> = {
  '116': 'stale file handle',
  '117': 'structure needs cleaning',
  '122': 'disk quota exceeded',
  '123': 'no medium found',
};

/** Go's names of system calls that Node names in another way. */
const calls: Readonly<Record<string, string>> = {
  copyfile: 'copy_file_range',
  futime: 'chtimes',
  ftruncate: 'truncate',
  mkdtemp: 'mkdir',
  realpath: 'lstat',
  rmdir: 'remove',
  scandir: 'open',
  unlink: 'remove',
  utime: 'chtimes',
};

const ofNode =
  /(?:(E[A-Z0-9]{2,}): |Unknown system error -(\d+): )([A-Za-z][^,\n]*), ([a-z]+)(?: '([^'\n]*)'(?: -> '([^'\n]*)')?)?/g;
/** The value is cut where it is long, and its last quote with it. */
const nulInPath =
  /The argument '\w+' must be a string, Uint8Array, or URL without null bytes\. Received (['"`])(?:(?!\1)[^\n])*\1?/g;

/** A name in an open directory, without the descriptor, which means nothing to a reader. */
const named = (path: string): string => path.replace(/^\/proc\/self\/fd\/\d+\//, '');

/** A message with each error of Node's in it told in Go's words; any other is as it was. */
export function goWords(message: string): string {
  // Most messages have none.
  if (!/E[A-Z0-9]{2,}: |Unknown system error|null bytes/.test(message)) return message;
  return message
    .replaceAll(ofNode, (_whole, code, number, text, call, path, target) => {
      const why = texts[code] ?? unnamed[number] ?? (number ? `errno ${number}` : text);
      const what = [calls[call] ?? call, path, target]
        .filter((word) => word !== undefined)
        .map(named)
        .join(' ');
      return `${what}: ${why}`;
    })
    .replaceAll(nulInPath, 'invalid argument');
}
