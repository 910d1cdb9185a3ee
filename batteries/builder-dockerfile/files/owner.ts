import type { Root } from '@cleat/linux/rootfs/root';
import { isClass } from '@cleat/protocol/errors';
import { fault } from '../language/fault.js';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** More than any list of users of an image that is meant to be read. */
const maxBytes = 1024 * 1024;

/**
 * `--chown=USER[:GROUP]`, with names as the image's own files have them.
 * @param root undefined for an image without files @throws DockerfileFault
 */
export function ownerOf(text: string, root: Root | undefined): Owner {
  const [user = '', group, ...more] = text.split(':');
  if (more.length > 0 || user === '') throw fault(`invalid chown string passed, ${JSON.stringify(text)}: USER[:GROUP]`);
  const known = /^\d+$/.test(user) ? numeric(user) : named(root, '/etc/passwd', user, 'user');
  if (group === undefined || group === '') return known;
  const { uid: gid } = /^\d+$/.test(group) ? numeric(group) : named(root, '/etc/group', group, 'group');
  return { uid: known.uid, gid };
}

function numeric(text: string): Owner {
  const id = Number(text);
  if (id > 2 ** 32 - 2) throw fault(`uid/gid ${text} is out of range`);
  return { uid: id, gid: id };
}

/** The third field is the number, the fourth that of a user's group. */
function named(root: Root | undefined, file: string, name: string, what: 'user' | 'group'): Owner {
  let text = '';
  try {
    text = root?.readFile(file, maxBytes).toString('utf8') ?? '';
  } catch (error) {
    if (!isClass(error, 'NotFound')) throw error;
  }
  for (const line of text.split('\n')) {
    const [first, , number = '', group = ''] = line.split(':');
    if (first !== name || !/^\d+$/.test(number)) continue;
    return { uid: Number(number), gid: /^\d+$/.test(group) ? Number(group) : Number(number) };
  }
  throw fault(
    `unable to convert uid/gid chown string to host mapping: can't find ${what === 'user' ? 'uid' : 'gid'} for ${what} ${name}: no such ${what}: ${name}`,
  );
}
