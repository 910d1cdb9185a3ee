import { findCommand } from '../host.js';
import type { RuntimeCommand } from './runtime.js';

/**
 * The command, started by a step that gives the pipes which it has as stdin, stdout and stderr to a user of this host.
 * A runtime does so itself, but not where that user is one of a user namespace, in which runc has given up the right
 * to: then nothing in the container could open `/dev/stdout`.
 */
export function givingPipes(
  { runtimePath, runtimeArgs, ...rest }: RuntimeCommand,
  { uid, gid }: { uid: number; gid: number },
): RuntimeCommand {
  const busybox = findCommand('busybox');
  const shell = busybox === undefined ? ['/bin/sh'] : [busybox, 'sh'];
  const chown = busybox === undefined ? 'chown' : `${busybox} chown`;
  const script = `for f in 0 1 2; do [ ! -p /proc/self/fd/$f ] || ${chown} ${uid}:${gid} /proc/self/fd/$f; done; exec "$0" "$@"`;
  const [program = '', ...args] = shell;
  return { ...rest, runtimePath: program, runtimeArgs: [...args, '-c', script, runtimePath, ...runtimeArgs] };
}
