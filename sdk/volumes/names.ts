import { invalidParameter } from '@cleat/protocol/errors';

const maxBytes = 255;
const pattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/**
 * Checks a name as Docker's `local` driver does: it is fit to be a directory's name.
 * @throws InvalidParameter in its words
 */
export function checkVolumeName(name: string): void {
  if (name.length === 1) {
    throw invalidParameter('volume name is too short, names should be at least two alphanumeric characters');
  }
  // No file system has these as a directory's name.
  if (Buffer.byteLength(name) > maxBytes) {
    throw invalidParameter(`volume name is too long, names should be at most ${maxBytes} characters`);
  }
  if (!isVolumeName(name)) {
    throw invalidParameter(
      `${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  }
}

/** Whether a name that is asked for can exist at all; one that cannot must not become part of a path. */
export function isVolumeName(name: string): boolean {
  return pattern.test(name);
}
