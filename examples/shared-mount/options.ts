import { invalidParameter } from '@cleat/sdk';

export interface User {
  uid: number;
  gid: number;
}

/** As what files are stored, and who that is in the container: of a volume, or of one mount. */
export interface FixedUser {
  /** `as=UID[:GID]` */
  as?: User;
  /** `user=UID[:GID]`: whom the container starts its work as. By default the user that the engine tells of. */
  user?: User;
}

/** @throws InvalidParameter */
export function readOptions(options: Readonly<Record<string, string>>): FixedUser {
  const { as, user, ...unknown } = options;
  const [other] = Object.keys(unknown);
  if (other !== undefined) throw invalidParameter(`shared-mount has no option ${other}; it has as and user`);
  return {
    ...(as === undefined ? {} : { as: readUser('as', as) }),
    ...(user === undefined ? {} : { user: readUser('user', user) }),
  };
}

function readUser(option: string, text: string): User {
  const [, uid = '', gid = uid] = /^(\d{1,9})(?::(\d{1,9}))?$/.exec(text) ?? [];
  if (!uid) throw invalidParameter(`${option} takes UID or UID:GID, numbers of this host, not ${JSON.stringify(text)}`);
  return { uid: Number(uid), gid: Number(gid) };
}
