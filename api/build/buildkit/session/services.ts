import {
  checkAgentRequest,
  credentialsRequest,
  credentialsResponse,
  secretRequest,
  secretResponse,
} from '@cleat/protocol/buildkit/session';
import { invalidParameter } from '@cleat/protocol/errors';
import type { CallOptions } from '@cleat/protocol/grpc/client';
import { bytesMessage, nothing } from '@cleat/protocol/grpc/common';
import { code, StatusError } from '@cleat/protocol/grpc/status';
import type { Session } from './sessions.js';

/** BuildKit takes no more either. */
const maxSecretBytes = 500 * 1024;

const paths = {
  credentials: '/moby.filesync.v1.Auth/Credentials',
  secret: '/moby.buildkit.secrets.v1.Secrets/GetSecret',
  checkAgent: '/moby.sshforward.v1.SSH/CheckAgent',
  upload: '/moby.upload.v1.Upload/Pull',
} as const;

/** Credentials for a registry's host; undefined where the client has none. */
export async function credentials(
  session: Session,
  host: string,
  options: CallOptions,
): Promise<{ username: string; password: string } | { identitytoken: string } | undefined> {
  if (!session.supports(paths.credentials)) return undefined;
  const types = [credentialsRequest, credentialsResponse] as const;
  const { Username, Secret } = await session.client.call(paths.credentials, [...types], { Host: host }, options);
  if (Secret === '') return undefined;
  // As BuildKit: a secret without a name is a token to refresh.
  return Username === '' ? { identitytoken: Secret } : { username: Username, password: Secret };
}

/** A secret; undefined where the client has none of that ID. @throws InvalidParameter when it is too large */
export async function secret(session: Session, id: string, options: CallOptions): Promise<Uint8Array | undefined> {
  if (!session.supports(paths.secret)) return undefined;
  try {
    const { data } = await session.client.call(paths.secret, [secretRequest, secretResponse], { ID: id }, options);
    if (data.length <= maxSecretBytes) return data;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  throw invalidParameter(`secret ${id} is larger than ${maxSecretBytes} bytes`);
}

/** Whether the client forwards an agent of that ID. */
export async function hasAgent(session: Session, id: string, options: CallOptions): Promise<boolean> {
  if (!session.supports(paths.checkAgent)) return false;
  try {
    await session.client.call(paths.checkAgent, [checkAgentRequest, nothing], { ID: id }, options);
    return true;
  } catch (error) {
    if (error instanceof StatusError && error.code !== code.cancelled) return false;
    throw error;
  }
}

/** Reads what the client has at a URL of its own (`http://buildkit-session/…`): a context from its standard input. */
export async function* upload(session: Session, url: URL, options: CallOptions): AsyncGenerator<Uint8Array> {
  if (!session.supports(paths.upload)) throw invalidParameter(`the client has nothing to send for ${url.href}`);
  const stream = session.client.stream(paths.upload, [bytesMessage, bytesMessage], {
    ...options,
    headers: { urlpath: url.pathname, urlhost: url.host },
  });
  for await (const { data } of stream.messages) yield data;
}

function isMissing(error: unknown): boolean {
  return error instanceof StatusError && (error.code === code.notFound || /not found/i.test(error.message));
}
