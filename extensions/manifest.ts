import { existsSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { CleatError, invalidParameter, messageOf } from '@cleat/protocol/errors';
import { decode } from '@cleat/protocol/json';
import Type, { type Static } from '@cleat/protocol/schema';
import { parse } from 'yaml';

const Carrier = Type.Union([Type.Literal('in-process'), Type.Literal('process')]);

const Entry = Type.Object({
  /** The driver's name, as users say it. */
  driver: Type.String(),
  /** The compiled module, relative to the manifest. */
  module: Type.String(),
  kinds: Type.Array(Type.String()),
  carrier: Type.Optional(Carrier),
  enabled: Type.Optional(Type.Boolean()),
  /** Entries, or kinds, that it starts after; see order.ts. */
  needs: Type.Optional(Type.Array(Type.String())),
  after: Type.Optional(Type.Array(Type.String())),
  options: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  /** ms by `Kind.Method`, `Method` or `*`. */
  deadlines: Type.Optional(Type.Record(Type.String(), Type.Number())),
});
const Manifest = Type.Object({ extensions: Type.Record(Type.String(), Entry) });

/** The operator's settings for one entry; an absent one stays as the manifest has it. */
export interface ExtensionOverride {
  enabled?: boolean | undefined;
  carrier?: 'in-process' | 'process' | undefined;
  options?: Record<string, unknown> | undefined;
  deadlines?: Record<string, number> | undefined;
}

/** One extension of a manifest, merged with what the operator configured. */
export interface ManifestEntry {
  /** Its key in the manifest, for example `volume-local`. */
  id: string;
  driver: string;
  /** Absolute path of the module to load. */
  module: string;
  kinds: readonly string[];
  carrier: 'in-process' | 'process';
  enabled: boolean;
  /** Entries, or kinds, without which it cannot start, as the manifest names them. */
  needs: readonly string[];
  /** Entries, or kinds, that start before it where they are there. */
  after: readonly string[];
  options: Readonly<Record<string, unknown>>;
  deadlines: Readonly<Record<string, number>>;
  /** The manifest it comes from. */
  origin: string;
}

export interface ManifestSettings {
  paths: readonly string[];
  overrides: Readonly<Record<string, ExtensionOverride>>;
  /** The values of `${name}` in options; one that is the whole value keeps its type. */
  variables: Readonly<Record<string, unknown>>;
  /** Holds one directory per entry, its `${stateDir}`. */
  stateDirectory: string;
}

/**
 * Reads the manifests in order; a later one replaces an entry of the same key.
 * @throws InvalidParameter that names the file and what is wrong, or an override for an entry that does not exist,
 * unless it holds deadlines only
 */
export function readManifests({ paths, overrides, variables, stateDirectory }: ManifestSettings): ManifestEntry[] {
  const entries = new Map<string, ManifestEntry>();
  for (const path of paths) {
    for (const [id, entry] of Object.entries(readManifest(path).extensions)) {
      const override = overrides[id] ?? {};
      const enabled = override.enabled ?? entry.enabled ?? true;
      const known = { ...variables, stateDir: join(stateDirectory, id) };
      entries.set(id, {
        id,
        driver: entry.driver,
        module: modulePath(path, entry.module),
        kinds: entry.kinds,
        carrier: override.carrier ?? entry.carrier ?? 'in-process',
        enabled,
        needs: entry.needs ?? [],
        after: entry.after ?? [],
        // Options of one that is left out may name what is not configured.
        options: enabled ? substitute(`${path}: ${id}`, { ...entry.options, ...override.options }, known) : {},
        deadlines: checkDeadlines(`${path}: ${id}`, { ...entry.deadlines, ...override.deadlines }),
        origin: path,
      });
    }
  }
  for (const [id, { deadlines, ...rest }] of Object.entries(overrides)) {
    if (entries.has(id)) continue;
    // A plugin that is discovered is patient or not as the operator says; how it is run is not ours to decide.
    if (deadlines && Object.values(rest).every((value) => value === undefined)) {
      checkDeadlines(id, deadlines);
      continue;
    }
    const known = [...entries.keys()].join(', ');
    throw invalidParameter(`extension '${id}' is configured, but no manifest has it (known: ${known || 'none'})`);
  }
  return [...entries.values()];
}

/** The largest delay that setTimeout takes: a larger one fires at once. */
const longestDeadlineMs = 2 ** 31 - 1;

function checkDeadlines(where: string, deadlines: Record<string, number>): Record<string, number> {
  for (const [method, ms] of Object.entries(deadlines)) {
    if (ms > 0 && ms <= longestDeadlineMs) continue;
    throw invalidParameter(`${where}: ${method}: ${ms} is no deadline; write it in ms, up to ${longestDeadlineMs}`);
  }
  return deadlines;
}

function readManifest(path: string): Static<typeof Manifest> {
  try {
    return decode(Manifest, parse(readFileSync(path, 'utf8')), 'manifest');
  } catch (cause) {
    if (cause instanceof CleatError) throw invalidParameter(`${path}: ${cause.message}`, { cause });
    throw invalidParameter(`cannot read the manifest of extensions ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Sources load sources, a build loads what it built: `dist/` beside the manifest, where TypeScript puts it. */
function modulePath(manifest: string, module: string): string {
  if (isAbsolute(module)) return module;
  const directory = dirname(manifest);
  const source = join(directory, module.replace(/\.js$/, '.ts'));
  if (import.meta.url.endsWith('.ts') && existsSync(source)) return source;
  const built = join(directory, 'dist', module);
  return existsSync(built) ? built : join(directory, module);
}

function substitute(
  where: string,
  options: Record<string, unknown>,
  variables: ManifestSettings['variables'],
): Record<string, unknown> {
  const lookUp = (name: string): unknown => {
    if (!Object.hasOwn(variables, name)) {
      const known = Object.keys(variables).join(', ');
      throw invalidParameter(`${where}: nothing is known as \${${name}} (known: ${known})`);
    }
    return variables[name];
  };
  const replace = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(replace);
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replace(item)]));
    }
    if (typeof value !== 'string') return value;
    const whole = /^\$\{(\w+)\}$/.exec(value);
    if (whole?.[1]) return lookUp(whole[1]);
    return value.replace(/\$\{(\w+)\}/g, (_, name: string) => String(lookUp(name)));
  };
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [key, replace(value)]));
}
