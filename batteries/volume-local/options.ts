import { invalidParameter } from '@cleat/protocol/errors';
import type { OptionDeclarations, OptionsOf } from '@cleat/protocol/options';

export const options = {
  root: { required: true, help: 'directory that holds the volumes, an absolute path' },
} as const satisfies OptionDeclarations;

/** @throws InvalidParameter */
export function directoryOf({ root }: OptionsOf<typeof options>): string {
  if (!root.startsWith('/')) throw invalidParameter(`volume-local: the option root must be an absolute path`);
  return root;
}
