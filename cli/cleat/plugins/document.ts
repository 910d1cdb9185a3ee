import { PluginPrivilege } from '@cleat/protocol/api/plugin';
import { invalidParameter } from '@cleat/protocol/errors';
import { decode, parseJson, type Static } from '@cleat/protocol/json';
import Type from '@cleat/protocol/schema';

/** The layer of an index that lies in a registry. */
export const indexType = 'application/vnd.cleat.plugins.index.v1+json';

/** A plugin that somebody publishes: what a person wants to know before installing it. */
const IndexEntry = Type.Object({
  /** As for `docker plugin install`. */
  name: Type.String(),
  /** The digest that the name led to when the index was made. */
  digest: Type.String(),
  description: Type.String(),
  documentation: Type.String(),
  publisher: Type.String(),
  /** `VolumeDriver`; a type that this engine does not know stays as the manifest has it. */
  kinds: Type.Array(Type.String()),
  platforms: Type.Array(Type.String()),
  privileges: Type.Array(PluginPrivilege),
});
export type IndexEntry = Static<typeof IndexEntry>;

const Index = Type.Object({
  version: Type.Integer(),
  /** When it was made, as ISO 8601. */
  created: Type.String(),
  plugins: Type.Array(IndexEntry),
});
export type Index = Static<typeof Index>;

export const indexBounds = { bytes: 8 * 1024 * 1024, plugins: 20_000 } as const;

/** Reads an index, which is foreign text. @throws InvalidParameter */
export function readIndex(text: string, source: string): Index {
  if (text.length > indexBounds.bytes) throw invalidParameter(`${source} is too large for an index of plugins`);
  let index: Index;
  try {
    index = decode(Index, parseJson(text), 'the index');
  } catch (cause) {
    throw invalidParameter(`${source} is no index of plugins: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
  if (index.version !== 1)
    throw invalidParameter(`${source} is an index of version ${index.version}: this cleat reads version 1`);
  if (index.plugins.length > indexBounds.plugins) throw invalidParameter(`${source} lists too many plugins`);
  return index;
}

/** One entry a name, in the order of names: the same entries make the same text. */
export function indexText(created: string, entries: readonly IndexEntry[]): string {
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const plugins = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return `${JSON.stringify({ version: 1, created, plugins } satisfies Index, null, 2)}\n`;
}
