import { forbidden } from '@cleat/sdk';

/**
 * The target of a request, however it was spelled: `/v1.41/containers/%77eb/stop?t=1` is `containers`, `web`, `stop`.
 */
export interface Target {
  /** For example `1.41`; undefined: the engine's own. */
  readonly version: string | undefined;
  readonly path: readonly string[];
}

/** @throws Forbidden for a path that an engine might understand in another way than we do */
export function targetOf(uri: string): Target {
  const path = decoded(uri.replace(/[?#].*$/s, ''));
  const [root, ...parts] = path.split('/');
  if (root !== '' || parts.some((part) => part === '' || part === '.' || part === '..')) throw strange(uri);
  const [, version] = /^v([0-9.]+)$/.exec(parts[0] ?? '') ?? [];
  return { version, path: version === undefined ? parts : parts.slice(1) };
}

/** The whole path at once, as dockerd's router does: an encoded slash separates like any other. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw strange(path);
  }
}

const strange = (uri: string) =>
  forbidden(`the request ${JSON.stringify(uri)} is spelled in a way that is not allowed`);
