import { userName } from '@cleat/linux/process/user-names';
import { peerCgroups, peerProcess } from '@cleat/linux/syscall/peer';
import { hasHungUp } from '@cleat/linux/syscall/poll';
import type { Caller } from '@cleat/protocol/caller';
import type { Callers } from './service.js';

/** Finds what runs on this host by the full ID in the name of its control group. */
export interface CallersDeps {
  readonly container: (id: string) => { readonly name: string } | undefined;
  readonly plugin: (id: string) => { readonly name: string } | undefined;
}

export function openCallers(deps: CallersDeps): Callers {
  return {
    atSocket(fd) {
      const { pid, uid, gid, groups } = peerProcess(fd);
      const place = placeOf(deps, peerCgroups(fd, pid));
      const isOfHost = place.Within === 'host' || place.Within === 'unknown';
      return {
        Method: 'unix',
        User: (isOfHost ? userName(uid) : undefined) ?? `${uid}`,
        Process: { PID: pid, UID: uid, GID: gid, Groups: [...groups] },
        ...place,
      };
    },
    hasHungUp,
  };
}

/**
 * The outermost control group that is one of ours decides, in whichever hierarchy it is: what runs in a container can make
 * groups below its own, with names that it chooses, and may leave some of the hierarchies, but none is above it.
 */
export function placeOf(
  { container, plugin }: CallersDeps,
  cgroups: string | undefined,
): Pick<Caller, 'Within' | 'Container' | 'Plugin'> {
  if (cgroups === undefined) return { Within: 'unknown' };
  for (const line of cgroups.split('\n')) {
    for (const [ID] of line.matchAll(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g)) {
      const found = container(ID);
      if (found) return { Within: 'container', Container: { ID, Name: found.name } };
      const sandbox = plugin(ID);
      if (sandbox) return { Within: 'plugin', Plugin: { ID, Name: sandbox.name } };
    }
  }
  return { Within: 'host' };
}
