import { invalidParameter } from '@cleat/protocol/errors';

/** The newest Engine API that is spoken here, and the oldest; the floor is low so that tools of 2015 connect. */
export const maxApiVersion = '1.56';
export const minApiVersion = '1.20';

/** `1.41` as a number that compares; undefined for what is no version. */
export function versionNumber(text: string): number | undefined {
  const match = /^(\d{1,4})(?:\.(\d{1,4}))?(?:\.\d+)*$/.exec(text);
  return match ? Number(match[1]) * 10_000 + Number(match[2] ?? 0) : undefined;
}

/** `version` is older than `other`; both must be well-formed. */
export function isBefore(version: string, other: string): boolean {
  return (versionNumber(version) ?? 0) < (versionNumber(other) ?? 0);
}

/**
 * Refuses a client that is too new or too old, in Docker's words, which clients match on to downgrade themselves.
 * @throws InvalidParameter
 */
export function checkVersion(version: string, floor: string = minApiVersion): void {
  if (versionNumber(version) === undefined) throw invalidParameter(`invalid API version "${version}"`);
  if (isBefore(version, floor)) {
    throw invalidParameter(
      `client version ${version} is too old. Minimum supported API version is ${floor}, please upgrade your client to a newer version`,
    );
  }
  if (isBefore(maxApiVersion, version)) {
    throw invalidParameter(`client version ${version} is too new. Maximum supported API version is ${maxApiVersion}`);
  }
}
