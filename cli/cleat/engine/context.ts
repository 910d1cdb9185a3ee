import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalidParameter, messageOf, notFound } from '@cleat/protocol/errors';

/** The engine that a context of the docker CLI names. */
export interface ContextEndpoint {
  readonly host: string;
  /** Certificates of the context; undefined where it has none. */
  readonly tls: { ca?: Buffer; cert?: Buffer; key?: Buffer } | undefined;
  /** The engine's certificate is taken as it is. */
  readonly skipVerify: boolean;
}

/** The context of `docker context use`, where one was chosen. @param directory the docker CLI's, `~/.docker` */
export function currentContext(directory: string): string | undefined {
  const path = join(directory, 'config.json');
  if (!existsSync(path)) return undefined;
  let name: unknown;
  try {
    name = readJson(path).currentContext;
  } catch (error) {
    // As the docker CLI, which goes on with the default engine.
    process.stderr.write(`WARNING: Error parsing config file (${messageOf(error)})\n`);
  }
  return typeof name === 'string' && name !== '' ? name : undefined;
}

/**
 * Reads a context from the docker CLI's store
 * (source: docker/cli `cli/context/store`: `meta/SHA256/meta.json` and `tls/SHA256/docker/*.pem`, by the name's digest).
 * @throws NotFound with the names of those that exist; InvalidParameter when it names no engine
 */
export function readContext(directory: string, name: string): ContextEndpoint {
  const digest = createHash('sha256').update(name).digest('hex');
  const path = join(directory, 'contexts/meta', digest, 'meta.json');
  if (!existsSync(path)) {
    throw notFound(`context "${name}": context not found (known: ${contextNames(directory).join(', ')})`);
  }
  const endpoint = member(member(readJson(path), 'Endpoints'), 'docker');
  const host = endpoint.Host;
  if (typeof host !== 'string' || host === '') throw invalidParameter(`context "${name}" names no docker engine`);
  return {
    host,
    tls: readTls(join(directory, 'contexts/tls', digest, 'docker')),
    skipVerify: endpoint.SkipTLSVerify === true,
  };
}

function contextNames(directory: string): string[] {
  const meta = join(directory, 'contexts/meta');
  const found = existsSync(meta) ? readdirSync(meta) : [];
  const names = found.flatMap((digest) => {
    const path = join(meta, digest, 'meta.json');
    const name = existsSync(path) ? readJson(path).Name : undefined;
    return typeof name === 'string' ? [name] : [];
  });
  return ['default', ...names];
}

function readTls(directory: string): ContextEndpoint['tls'] {
  const read = (name: string): Buffer | undefined => {
    const path = join(directory, `${name}.pem`);
    return existsSync(path) ? readFileSync(path) : undefined;
  };
  const [ca, cert, key] = ['ca', 'cert', 'key'].map(read);
  return ca || cert || key ? { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) } : undefined;
}

function readJson(path: string): Record<string, unknown> {
  try {
    return member({ content: JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, '')) }, 'content');
  } catch (error) {
    throw invalidParameter(`${path} cannot be read: ${messageOf(error)}`);
  }
}

/** An object's member that is an object; an empty one where it is not. */
function member(value: Record<string, unknown>, key: string): Record<string, unknown> {
  const found = value[key];
  return typeof found === 'object' && found !== null ? { ...found } : {};
}
