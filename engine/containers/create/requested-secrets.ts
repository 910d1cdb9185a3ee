import { posix } from 'node:path';
import { invalidParameter } from '@cleat/protocol/errors';
import { secretsDirectory } from '../oci-spec/mounts.js';
import type { RequestedSecret } from '../state/record.js';

/** `io.cleat.secret.NAME=PROVIDER` asks for a secret, `io.cleat.secret.NAME.KEY=VALUE` tells its provider more. */
const prefix = 'io.cleat.secret.';

/**
 * Which secrets a container is to be given.
 * @param labels those of the request itself: an image must not be able to ask for any
 * @throws InvalidParameter for a label that cannot be understood
 */
export function requestedSecrets(labels: Readonly<Record<string, string>>): RequestedSecret[] {
  const asked = Object.entries(labels)
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]) => ({ key, value, rest: key.slice(prefix.length) }));
  const requested = new Map<string, RequestedSecret>();
  for (const { key, value, rest } of asked.filter((one) => !one.rest.includes('.'))) {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(rest)) {
      throw invalidParameter(
        `label ${key}: '${rest}' cannot be the name of a secret: use up to 64 letters, digits, _ and -`,
      );
    }
    if (value === '') throw invalidParameter(`label ${key}: its value must name the plugin that provides the secret`);
    requested.set(rest, { name: rest, provider: value, labels: {} });
  }
  for (const { key, value, rest } of asked.filter((one) => one.rest.includes('.'))) {
    const name = rest.slice(0, rest.indexOf('.'));
    const secret = requested.get(name);
    if (!secret) throw invalidParameter(`label ${key}: there is no ${prefix}${name}, which would name its provider`);
    secret.labels[rest.slice(name.length + 1)] = value;
  }
  return [...requested.values()];
}

/** Nothing else may be where secrets are, or hide them unseen. @throws InvalidParameter */
export function checkSecretsPlace(
  requested: readonly RequestedSecret[],
  mounts: readonly { destination: string }[],
  tmpfs: Readonly<Record<string, string>>,
): void {
  if (requested.length === 0) return;
  for (const path of [...mounts.map(({ destination }) => destination), ...Object.keys(tmpfs)]) {
    if (!`${posix.normalize(path)}/`.startsWith(`${secretsDirectory}/`)) continue;
    throw invalidParameter(`${path} cannot be mounted: ${secretsDirectory} is where this container's secrets are`);
  }
}
