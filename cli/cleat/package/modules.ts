import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';

/** A package as it is installed, and where it goes: `''` for the project, else `node_modules/a`. */
export interface Placed {
  readonly name: string;
  readonly directory: string;
  readonly place: string;
  readonly manifest: PackageJson;
}

export interface PackageJson {
  readonly name?: string;
  readonly version?: string;
  readonly description?: string;
  readonly homepage?: string;
  readonly bin?: string | Readonly<Record<string, string>>;
  readonly main?: string;
  readonly type?: string;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly cleat?: { readonly plugin?: unknown; readonly programs?: readonly string[] };
}

/**
 * The project and every package that it needs to run, each with a place below `node_modules` at which Node finds it from
 * all those that need it. They are taken from where Node would load them here; those that are links (of a workspace) become
 * plain directories. As far up as possible, as npm does it: nested only where another version is in the way.
 * @throws InvalidParameter for one that is not installed
 */
export function placedPackages(project: string): Placed[] {
  const root = realpathSync(project);
  const first: Placed = { name: '', directory: root, place: '', manifest: packageJson(root) };
  const placed = new Map<string, Placed>([['', first]]);
  const waiting = [first];
  for (let one = waiting.shift(); one; one = waiting.shift()) {
    const { dependencies = {}, optionalDependencies = {} } = one.manifest;
    for (const name of Object.keys({ ...neededPeers(one), ...optionalDependencies, ...dependencies }).sort()) {
      const directory = installed(one.directory, name);
      if (directory === undefined) {
        // An optional package may be missing; a peer is the business of the package that chose both.
        if (name in optionalDependencies || !(name in dependencies)) continue;
        const who = one.place === '' ? 'the project' : one.name;
        throw invalidParameter(`${who} needs ${name}, which is not installed: run npm install first`);
      }
      // Some packages are needed by a compiler only, for the types in them.
      if (!(name in optionalDependencies) && !mentions(one.directory, name)) continue;
      const place = placeFor(placed, one.place, name, directory);
      if (place === undefined) continue;
      const added: Placed = { name, directory, place, manifest: packageJson(directory) };
      placed.set(place, added);
      waiting.push(added);
    }
  }
  return [...placed.values()];
}

export function packageJson(directory: string): PackageJson {
  const path = join(directory, 'package.json');
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isRecord(value)) return value as PackageJson;
  } catch (error) {
    throw invalidParameter(`${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  throw invalidParameter(`${path} is no JSON object`);
}

/** Peers that may be missing are there when somebody else needs them. */
function neededPeers({ manifest }: Placed): Record<string, string> {
  const { peerDependencies = {}, peerDependenciesMeta = {} } = manifest;
  return Object.fromEntries(Object.entries(peerDependencies).filter(([name]) => !peerDependenciesMeta[name]?.optional));
}

/** Code that loads another package has its name in it, in quotes. */
function mentions(directory: string, name: string): boolean {
  const pattern = new RegExp(`["'\`]${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}["'\`/]`);
  return readdirSync(directory, { withFileTypes: true }).some((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return entry.name !== 'node_modules' && entry.name !== '.git' && mentions(path, name);
    // A type is imported in TypeScript only.
    if (!entry.isFile() || !/\.[cm]?js$/.test(entry.name)) return false;
    return pattern.test(readFileSync(path, 'utf8'));
  });
}

/** Where Node finds a package from a directory; links are followed, as Node follows them. */
function installed(from: string, name: string): string | undefined {
  for (let at = from; ; at = dirname(at)) {
    const path = join(at, 'node_modules', name);
    if (existsSync(join(path, 'package.json'))) return realpathSync(path);
    if (at === dirname(at)) return undefined;
  }
}

/** @returns undefined when Node finds it already from there */
function placeFor(
  placed: ReadonlyMap<string, Placed>,
  from: string,
  name: string,
  directory: string,
): string | undefined {
  const slots = [...ancestors(from)].map((above) => join(above, 'node_modules', name));
  const found = slots.find((slot) => placed.has(slot));
  if (found !== undefined && placed.get(found)?.directory === directory) return undefined;
  // Another version is nearer than the top: beside the one that needs it.
  return found === undefined ? slots.at(-1) : slots[0];
}

/** A place and those around it, the nearest first: packages only, as Node looks beside each. */
function* ancestors(place: string): Generator<string> {
  for (let at = place; at !== ''; ) {
    yield at;
    const outer = at.lastIndexOf('/node_modules/');
    at = outer < 0 ? '' : at.slice(0, outer);
  }
  yield '';
}
