import { invalidParameter } from '@cleat/protocol/errors';
import type { OptionDeclarations, OptionsOf } from '@cleat/protocol/options';

export const options = {
  stateDir: { required: true, help: 'directory that holds the volumes, an absolute path' },
} as const satisfies OptionDeclarations;

/** @throws InvalidParameter */
export function directoryOf({ stateDir }: OptionsOf<typeof options>): string {
  if (!stateDir.startsWith('/')) throw invalidParameter(`volume-tmpfs: the option stateDir must be an absolute path`);
  return stateDir;
}
