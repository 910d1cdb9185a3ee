import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';

/** PEM texts. Without `ca` the system's authorities decide; `cert` and `key` say who we are. */
export interface EngineTls {
  ca?: string;
  cert?: string;
  key?: string;
  /** `false`: any server is trusted, as Docker does with DOCKER_CERT_PATH and without DOCKER_TLS_VERIFY. */
  rejectUnauthorized?: boolean;
}

/** Settings of `node:http` to connect to an engine, and the address as people write it. */
export interface Address {
  readonly text: string;
  readonly where: { socketPath: string } | { host: string; port: number };
  readonly tls: EngineTls | undefined;
}

/** Docker's ports for TCP without and with TLS. */
const defaultPort = { plain: 2375, tls: 2376 };

/**
 * An address as `docker -H` takes it: `unix:///path`, `tcp://host:port`, `http://…`, `https://…`; without one it is
 * that of DOCKER_HOST, else Docker's own socket. TCP is encrypted when `tls` is given, or as Docker's clients decide:
 * by DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, with `ca.pem`, `cert.pem` and `key.pem` from there (else `~/.docker`).
 * @throws InvalidParameter
 */
export function addressOf(text: string | undefined, tls: EngineTls | undefined, env = process.env): Address {
  const given = text || env.DOCKER_HOST || 'unix:///var/run/docker.sock';
  const [, scheme = '', rest = ''] = /^(unix|tcp|http|https):\/\/(.+)$/.exec(given) ?? [];
  if (scheme === 'unix') return { text: given, where: { socketPath: rest }, tls: undefined };
  const secure = tls ?? (scheme === 'http' ? undefined : tlsOfEnvironment(env, scheme === 'https'));
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]+))(?::(\d{1,5}))?\/?$/.exec(rest);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3] ?? (secure ? defaultPort.tls : defaultPort.plain));
  if (scheme === '' || host === undefined || port > 65_535) {
    throw invalidParameter(`'${given}' is no engine's address: write unix:///path or tcp://host:port`);
  }
  return { text: given, where: { host, port }, tls: secure };
}

function tlsOfEnvironment(env: NodeJS.ProcessEnv, wanted: boolean): EngineTls | undefined {
  const verify = Boolean(env.DOCKER_TLS_VERIFY);
  if (!wanted && !verify && !env.DOCKER_CERT_PATH) return undefined;
  const directory = env.DOCKER_CERT_PATH || join(homedir(), '.docker');
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) => pem(join(directory, name)));
  return { ca, cert, key, rejectUnauthorized: verify || wanted };
}

function pem(path: string): string | undefined {
  try {
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  } catch (error) {
    throw invalidParameter(`the engine's TLS file cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
