import { isAbsolute } from 'node:path';
import { invalidParameter } from '@cleat/protocol/errors';
import type { OptionDeclarations } from '@cleat/protocol/options';

export const options = {
  address: { default: 'unix:///run/buildkit/buildkitd.sock', help: 'UNIX socket of buildkitd' },
} as const satisfies OptionDeclarations;

/** The socket's path. @throws InvalidParameter */
export function socketPath(address: string): string {
  const path = address.replace(/^unix:\/\//, '');
  if (isAbsolute(path)) return path;
  throw invalidParameter(
    `builder-buildkit: the option address must be a UNIX socket (unix:///run/buildkit/buildkitd.sock), not ${address}`,
  );
}
