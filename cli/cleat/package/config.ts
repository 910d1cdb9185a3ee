import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import { isKindLabel, kindLabels, kindOf } from '@cleat/protocol/kinds/index';
import { PluginManifest } from '@cleat/protocol/plugins/config';
import { readManifest } from '@cleat/protocol/plugins/manifest';
import { typeOf } from '@cleat/protocol/plugins/types';
import { packageJson } from './modules.js';

/** Files that hold a manifest, the first that is there: an author's, or that of what `docker plugin create` takes. */
const files = ['plugin.json', 'config.json'];

export interface ConfigOptions {
  /** A file with the manifest. */
  readonly file?: string | undefined;
  readonly kinds?: readonly string[] | undefined;
  readonly name?: string | undefined;
  /** For a project: the program that runs in the plugin. */
  readonly entrypoint?: readonly string[] | undefined;
}

/**
 * The manifest of a package: what the author wrote (`plugin.json`, or `cleat.plugin` in package.json), with the rest filled in,
 * read strictly.
 * @throws InvalidParameter with the path of each fault
 */
export function manifestFor(directory: string, options: ConfigOptions): PluginManifest {
  const given = canonical(givenManifest(directory, options.file));
  const about = existsSync(join(directory, 'package.json')) ? packageJson(directory) : {};
  const name = options.name ?? plainName(about.name ?? '');
  const own = isRecord(given.Interface) ? given.Interface : {};
  const has = (key: string) => Object.keys(own).some((each) => each.toLowerCase() === key);
  const filled: Record<string, unknown> = {
    Description: about.description ?? '',
    Documentation: about.homepage ?? '',
    ...(options.entrypoint && { Entrypoint: options.entrypoint, WorkDir: '/app' }),
    ...given,
    Interface: {
      ...(name !== '' && !has('socket') && { Socket: `${name}.sock` }),
      ...(options.kinds && !has('types') && { Types: typesFor(options.kinds) }),
      ...own,
    },
  };
  return readManifest(JSON.stringify(filled), 'strict');
}

/** Keys match in any case: with the names that they stand for, so that what is filled in meets them. */
function canonical(given: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    const name = Object.keys(PluginManifest.properties).find((each) => each.toLowerCase() === key.toLowerCase()) ?? key;
    // Twice the same stays so, and is refused.
    result[Object.hasOwn(result, name) ? key : name] = value;
  }
  return result;
}

function typesFor(kinds: readonly string[]): string[] {
  return kinds.map((label) => {
    if (isKindLabel(label)) return typeOf(kindOf(label));
    if (label === 'runtime') return 'cleat.runtime/1';
    throw invalidParameter(`--kind takes ${kindLabels.join(', ')} or runtime, not ${label}`);
  });
}

/** `@me/my-volumes` is `my-volumes` among sockets. */
const plainName = (name: string): string => name.replace(/^@[^/]*\//, '');

function givenManifest(directory: string, file: string | undefined): Record<string, unknown> {
  const found = file ?? files.map((name) => join(directory, name)).find((path) => existsSync(path));
  if (found !== undefined) return readObject(found);
  if (!existsSync(join(directory, 'package.json'))) return {};
  const inside = packageJson(directory).cleat?.plugin;
  if (inside === undefined || isRecord(inside)) return inside ?? {};
  throw invalidParameter('cleat.plugin in package.json must be an object: the manifest');
}

function readObject(path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw invalidParameter(`${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if (isRecord(value)) return value;
  throw invalidParameter(`${path} must hold a JSON object: the manifest`);
}
