import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { mountRamfs } from '@cleat/linux/mount/mount';
import { CleatError, messageOf, unavailable } from '@cleat/protocol/errors';
import { type SecretRequest, secretKind } from '@cleat/protocol/kinds/secret';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';
import type { RequestedSecret } from '../state/record.js';

/** Swarm's limit for one (swarmkit `manager/controlapi`). */
const maxBytes = 500 * 1024;

/**
 * Asks the providers for this container's secrets, all at once, and puts them where only this run has them: in memory,
 * gone with the mount that `releaseRun` takes away. Values are neither kept nor logged.
 * @returns the directory, for the container to see; undefined when it has no secrets
 * @throws the class of what went wrong, with the names of secret, provider and call
 */
export async function prepareSecrets(
  context: Pick<Context, 'config' | 'extensions' | 'paths'>,
  container: Container,
  signal: AbortSignal,
): Promise<string | undefined> {
  const requested = container.record.secrets ?? [];
  if (requested.length === 0) return undefined;
  const values = await Promise.all(requested.map((secret) => ask(context, container, secret, signal)));
  const directory = context.paths.secrets(container.id);
  makeDirectories(join(directory, '..'), 0o700);
  makeDirectories(directory);
  mountRamfs(directory, { source: 'secrets', mode: '0755' });
  // As in Docker: any user of the container may read them.
  for (const [at, { name }] of requested.entries())
    writeFileSync(join(directory, name), values[at] ?? '', { mode: 0o444 });
  return directory;
}

async function ask(
  context: Pick<Context, 'config' | 'extensions'>,
  container: Container,
  secret: RequestedSecret,
  signal: AbortSignal,
): Promise<Buffer> {
  const { name, provider } = secret;
  try {
    const client = await context.extensions.get(secretKind, provider, { signal });
    const { Value } = await client.GetSecret(request(context, container, secret), { signal });
    if (!Value) throw unavailable('it answered without a value');
    return decoded(Value);
  } catch (cause) {
    if (signal.aborted) throw cause;
    const errorClass = cause instanceof CleatError ? cause.class : 'System';
    const what = `cannot get secret "${name}" (SecretProvider.GetSecret of plugin "${provider}")`;
    throw new CleatError(errorClass, `${what}: ${messageOf(cause)}`, { cause });
  }
}

/** @throws Unavailable */
function decoded(text: string): Buffer {
  const value = Buffer.from(text, 'base64');
  if (value.toString('base64') !== text.replaceAll(/[\r\n]/g, '')) throw unavailable('its value is not base64');
  if (value.length > maxBytes) throw unavailable(`its value has more than ${maxBytes} bytes`);
  return value;
}

/** Without swarm the container is both the service and its task. */
function request(
  context: Pick<Context, 'config'>,
  { id, record }: Container,
  { name, labels }: RequestedSecret,
): SecretRequest {
  const all: SecretRequest = {
    SecretName: name,
    SecretLabels: labels,
    ServiceHostname: record.config.Hostname,
    ServiceName: record.name,
    ServiceLabels: record.config.Labels ?? {},
    TaskID: id,
    TaskName: record.name,
    TaskImage: record.config.Image,
    NodeID: context.config.engineId,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => !isEmpty(value)));
}

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === '' || (typeof value === 'object' && Object.keys(value ?? {}).length === 0);
