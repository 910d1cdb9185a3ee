import { invalidParameter } from '@cleat/protocol/errors';
import type { OptionDeclarations, OptionsOf } from '@cleat/protocol/options';

export const options = {
  root: { required: true, help: 'directory that holds the volumes, an absolute path' },
  owner: { default: '0:0', help: 'UID:GID of a new volume, as files of this host have them' },
} as const satisfies OptionDeclarations;

/** @throws InvalidParameter */
export function ownerOf({ owner }: OptionsOf<typeof options>): { uid: number; gid: number } {
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(owner) ?? [];
  if (uid === undefined) throw invalidParameter('volume-local: the option owner is written as UID:GID');
  return { uid: Number(uid), gid: Number(gid) };
}

/** @throws InvalidParameter */
export function directoryOf({ root }: OptionsOf<typeof options>): string {
  if (!root.startsWith('/')) throw invalidParameter(`volume-local: the option root must be an absolute path`);
  return root;
}
