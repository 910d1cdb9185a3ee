import { join, relative } from 'node:path';
import { type IdMaps, outsideId } from '@cleat/linux/process/user-namespace';
import { invalidParameter } from '@cleat/protocol/errors';

/** How containers see what a build mounts into them. */
export interface ContainerView {
  /** The path through which a container is to see a path of this host. */
  seen(path: string): string;
  /** A user of a container as this host knows them. */
  owner(user: { uid: number; gid: number }): { uid: number; gid: number };
}

export const sameForAll: ContainerView = { seen: (path) => path, owner: (user) => user };

interface Told extends IdMaps {
  readonly dataRoot: string;
  readonly view: string;
}

/**
 * Containers with a user namespace of their own (`cleatd --userns-remap`) see the engine's data root through a mount that
 * shows other owners.
 * @param text of the option; empty: they have the users of this host
 * @throws InvalidParameter
 */
export function readView(text: string): ContainerView {
  if (text === '') return sameForAll;
  const told = parse(text);
  return {
    seen(path) {
      const inside = relative(told.dataRoot, path);
      return inside.startsWith('..') ? path : join(told.view, inside);
    },
    owner: ({ uid, gid }) => ({ uid: outsideId(told.users, uid), gid: outsideId(told.groups, gid) }),
  };
}

function parse(text: string): Told {
  try {
    const told = JSON.parse(text) as Partial<Told>;
    const { dataRoot, view, users, groups } = told;
    if (dataRoot && view && Array.isArray(users) && Array.isArray(groups)) return { dataRoot, view, users, groups };
  } catch {
    // Said below.
  }
  throw invalidParameter('builder-dockerfile: the option containerView is not what the engine gives');
}
