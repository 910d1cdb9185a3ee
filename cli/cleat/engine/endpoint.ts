import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseAddress } from '@cleat/api/listeners/address';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { defaultSocket } from '../../cleatd/hosts.js';
import { type ContextEndpoint, currentContext, readContext } from './context.js';
import type { EngineOptions } from './options.js';

export interface TlsOptions {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** Whether the engine must show a certificate that the CA signed. */
  readonly rejectUnauthorized: boolean;
}

/** Where an engine is, and how it is reached. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string; readonly text: string }
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly tls?: TlsOptions;
      readonly text: string;
    }
  | { readonly kind: 'ssh'; readonly target: SshTarget; readonly text: string };

type TlsOption = 'tls' | 'tlsverify' | 'tlscacert' | 'tlscert' | 'tlskey';

export interface SshTarget {
  readonly host: string;
  readonly user?: string;
  readonly port?: string;
  /** Address of the engine's socket over there; undefined: the docker CLI's own choice. */
  readonly path?: string;
}

/**
 * The engine that the docker CLI would speak to: -H, then --context, DOCKER_HOST, DOCKER_CONTEXT, the chosen context,
 * and the default socket.
 * @throws InvalidParameter, NotFound
 */
export function resolveEndpoint(options: EngineOptions, env: NodeJS.ProcessEnv = process.env): Endpoint {
  const directory = env.DOCKER_CONFIG || join(homedir(), '.docker');
  if (options.host !== undefined && options.context !== undefined) {
    throw invalidParameter('conflicting options: cannot specify both --host and --context');
  }
  const host = options.host ?? (options.context === undefined ? env.DOCKER_HOST || undefined : undefined);
  if (host !== undefined) return endpointOf(host, ownTls(options, env, directory));
  const name = options.context ?? (env.DOCKER_CONTEXT || currentContext(directory) || 'default');
  if (name === 'default') return endpointOf(`unix://${defaultSocket}`, undefined);
  const context = readContext(directory, name);
  return endpointOf(context.host, contextTls(context));
}

function endpointOf(host: string, tls: TlsOptions | undefined): Endpoint {
  if (host.startsWith('ssh://')) return { kind: 'ssh', target: parseSsh(host), text: host };
  const address = parseAddress(host, tls !== undefined);
  if (address.kind === 'unix') return { ...address, text: host };
  if (address.kind === 'tcp') return { ...address, ...(tls && { tls }), text: host };
  throw invalidParameter(`${host} is not an address to connect to: use unix:///path, tcp://host:port or ssh://host`);
}

/** @throws InvalidParameter */
export function parseSsh(text: string): SshTarget {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalidParameter(`invalid ssh address ${text}: use ssh://[user@]host[:port]`);
  }
  // ssh takes a word that begins with a dash for an option, which can run commands here.
  const words = [url.hostname, decodeURIComponent(url.username)];
  const plainPath = /^[\w./-]*$/.test(url.pathname);
  const isOption = words.some((word) => word.startsWith('-'));
  // The path becomes a word of a command that a shell reads over there.
  if (url.hostname === '' || url.password !== '' || url.search !== '' || isOption || !plainPath) {
    throw invalidParameter(`invalid ssh address ${text}: use ssh://[user@]host[:port], without a password`);
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    ...(url.username && { user: decodeURIComponent(url.username) }),
    ...(url.port && { port: url.port }),
    ...(url.pathname.length > 1 && { path: url.pathname }),
  };
}

/** From flags and the environment; undefined: no TLS. @throws InvalidParameter */
export function ownTls(
  options: Pick<EngineOptions, TlsOption>,
  env: NodeJS.ProcessEnv,
  directory: string,
): TlsOptions | undefined {
  const verify = options.tlsverify ?? Boolean(env.DOCKER_TLS_VERIFY);
  const files = [options.tlscacert, options.tlscert, options.tlskey];
  const wanted = verify || options.tls === true || Boolean(env.DOCKER_TLS) || files.some((file) => file !== undefined);
  if (!wanted) return undefined;
  const certificates = env.DOCKER_CERT_PATH || directory;
  const read = (named: string | undefined, name: string): Buffer | undefined => {
    const path = named ?? join(certificates, `${name}.pem`);
    try {
      return readFileSync(path);
    } catch (error) {
      // Client certificates are needed only where the engine asks for them; the CA, where it is to be verified.
      if (named === undefined && (name !== 'ca' || !verify)) return undefined;
      throw invalidParameter(`TLS needs ${path}: ${messageOf(error)}`);
    }
  };
  const [ca, cert, key] = [read(options.tlscacert, 'ca'), read(options.tlscert, 'cert'), read(options.tlskey, 'key')];
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }), rejectUnauthorized: verify };
}

function contextTls({ tls, skipVerify }: ContextEndpoint): TlsOptions | undefined {
  return tls && { ...tls, rejectUnauthorized: !skipVerify };
}
