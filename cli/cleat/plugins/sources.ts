import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { readPublicKey, type TrustKey } from '@cleat/engine/plugins/trust/verify';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { decode, parseJson } from '@cleat/protocol/json';
import Type from '@cleat/protocol/schema';

const Configured = Type.Array(Type.Object({ index: Type.String(), keys: Type.Optional(Type.Array(Type.String())) }));

export interface Source {
  /** `registry.example/index:tag`, `https://…`, or a file. */
  readonly place: string;
  /** One of these must have signed it. Empty: it is taken as it is. */
  readonly keys: readonly TrustKey[];
}

/** Files that name indexes: the user's, and the host's. */
function files(env: NodeJS.ProcessEnv): string[] {
  return [join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'cleat/indexes.json'), '/etc/cleat/indexes.json'];
}

/**
 * The indexes to search: those of the command line, else those of `indexes.json`, a list of
 * `{"index": "registry.example/index", "keys": ["publisher.pub"]}`.
 * @throws InvalidParameter where none is named
 */
export function sourcesFrom(places: readonly string[], keys: readonly string[], env = process.env): Source[] {
  if (places.length > 0) return places.map((place) => ({ place, keys: keys.map(readKey) }));
  if (keys.length > 0) throw invalidParameter('--key belongs to --index');
  const found = files(env).filter((path) => existsSync(path));
  const sources = found.flatMap(configured);
  if (sources.length > 0) return sources;
  throw invalidParameter(`no index is named: give --index, or list some in ${files(env).join(' or ')}`);
}

function configured(path: string): Source[] {
  try {
    return decode(Configured, parseJson(readFileSync(path, 'utf8')), path).map(({ index, keys = [] }) => ({
      place: index,
      keys: keys.map((key) => readKey(resolve(dirname(path), key))),
    }));
  } catch (error) {
    throw invalidParameter(`${path}: ${messageOf(error)}`, { cause: error });
  }
}

function readKey(path: string): TrustKey {
  try {
    return readPublicKey(readFileSync(path, 'utf8'), path);
  } catch (error) {
    throw invalidParameter(`the key cannot be used: ${messageOf(error)}`, { cause: error });
  }
}
