import { invalidParameter } from '@cleat/protocol/errors';
import { readGroups, readPasswd } from './accounts.js';

export interface ResolvedUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  /** Empty when the user is not in the passwd file. */
  home: string;
}

const maxId = 2 ** 31 - 1;

/**
 * The user of a container's process: `user`, `uid`, either with `:group` or `:gid`, looked up in the container's own
 * /etc/passwd and /etc/group (moby `daemon/oci_linux.go` getUser, moby/sys/user).
 * @param groupAdd `--group-add`: names or numbers
 * @throws InvalidParameter in Docker's words
 */
export function resolveUser(rootfs: string, requested: string, groupAdd: readonly string[] = []): ResolvedUser {
  const [userPart = '', groupPart = ''] = requested.split(':', 2);
  const passwd = parse(readPasswd(rootfs, userPart || '0'));
  const isNumber = /^-?\d+$/.test(userPart);
  const entry = passwd.find((fields) =>
    userPart === '' ? fields[2] === '0' : fields[0] === userPart || (isNumber && fields[2] === userPart),
  );
  if (!entry && userPart !== '' && !isNumber) {
    throw invalidParameter(`unable to find user ${userPart}: no matching entries in passwd file`);
  }
  const groups = parse(readGroups(rootfs, entry?.[0] ?? ''));
  const uid = number(entry?.[2] ?? (userPart || '0'));
  let gid = number(entry?.[3] ?? '0');
  let additionalGids: number[] = [];
  if (groupPart !== '') {
    gid = findGroup(groups, groupPart);
  } else if (entry) {
    additionalGids = groups
      .filter((fields) => fields[3]?.split(',').includes(entry[0] ?? ''))
      .map((f) => number(f[2] ?? ''));
  }
  const added = groupAdd.map((group) => findGroup(groups, group));
  // Docker lists the primary group among the additional ones as well.
  return { uid, gid, additionalGids: [...new Set([gid, ...additionalGids, ...added])], home: entry?.[5] ?? '' };
}

function findGroup(groups: string[][], requested: string): number {
  const entry = groups.find(
    (fields) => fields[0] === requested || (/^\d+$/.test(requested) && fields[2] === requested),
  );
  if (entry) return number(entry[2] ?? '');
  if (/^-?\d+$/.test(requested)) return number(requested);
  throw invalidParameter(`unable to find group ${requested}: no matching entries in group file`);
}

function number(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value <= maxId)) throw invalidParameter('uids and gids must be in range 0-2147483647');
  return value;
}

function parse(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.trim().split(':'))
    .filter((fields) => /^\d+$/.test(fields[2] ?? ''));
}
