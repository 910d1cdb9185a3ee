import { readGivenFile } from '@cleat/linux/files/given';
import { messageOf } from '@cleat/protocol/errors';
import { findJsonFault, lineAndColumn } from '@cleat/protocol/json-fault';
import { keyOf, type Option } from './option.js';
import { UsageError } from './parse.js';
import { byKey } from './table.js';
import { BadValue, fromJson } from './values.js';

export interface FileSettings {
  /** The file's settings, by flag; options with `merge` are joined with the command line's. */
  readonly set: ReadonlyMap<string, unknown>;
  /** The keys that it uses, by flag. */
  readonly keys: ReadonlyMap<string, string>;
}

const nothing: FileSettings = { set: new Map(), keys: new Map() };

/**
 * Reads `daemon.json`. Texts are dockerd's, since tools and people look for them
 * (source: moby `daemon/config/config.go`, getConflictFreeConfiguration).
 * @param flags what the command line set.
 * @throws UsageError, also when the file is missing and `required`.
 */
export async function readConfigFile(
  path: string,
  flags: ReadonlyMap<string, unknown>,
  required: boolean,
): Promise<FileSettings> {
  let text: string;
  try {
    text = readGivenFile(path).toString();
  } catch (error) {
    if (!required && isMissing(error)) return nothing;
    throw problem(path, isMissing(error) ? `open ${path}: no such file or directory` : messageOf(error));
  }
  try {
    return parseConfig(text, flags);
  } catch (error) {
    if (error instanceof UsageError) throw problem(path, error.message);
    throw error;
  }
}

/** The content of a `daemon.json`. @throws UsageError */
export function parseConfig(text: string, flags: ReadonlyMap<string, unknown>): FileSettings {
  const plain = text.replace(/^\uFEFF/, '');
  if (plain.trim() === '') return nothing;
  let content: unknown;
  try {
    content = JSON.parse(plain);
  } catch {
    throw new UsageError(`invalid JSON: ${describeFault(plain)}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new UsageError('invalid JSON: an object is expected');
  }
  const entries = Object.entries(content);
  const unknown = entries.map(([key]) => key).filter((key) => !byKey.has(key));
  if (unknown.length > 0) {
    throw new UsageError(`the following directives don't match any configuration option: ${unknown.join(', ')}`);
  }
  const found = entries.flatMap(([key, value]): { key: string; value: unknown; one: Option }[] => {
    const one = byKey.get(key);
    // As in Go, null leaves what is the default.
    return one === undefined || value === null ? [] : [{ key, value, one }];
  });
  const conflicts = found.filter(({ one }) => flags.has(one.flag) && one.merge === undefined);
  if (conflicts.length > 0) {
    const list = conflicts.map(
      ({ key, value, one }) => `${key}: (from flag: ${show(flags.get(one.flag))}, from file: ${show(value)})`,
    );
    throw new UsageError(
      `the following directives are specified both as a flag and in the configuration file: ${list.join(', ')}`,
    );
  }
  return collect(found, flags);
}

function collect(
  found: readonly { key: string; value: unknown; one: Option }[],
  flags: ReadonlyMap<string, unknown>,
): FileSettings {
  const set = new Map<string, unknown>();
  const keys = new Map<string, string>();
  for (const { key, value, one } of found) {
    if (set.has(one.flag))
      throw new UsageError(`${key} and ${keyOf(one)} must not both be specified in the config file`);
    let parsed: unknown;
    try {
      parsed = fromJson(one, value);
    } catch (error) {
      if (error instanceof BadValue) throw new UsageError(`${key}: ${error.message}`);
      throw error;
    }
    set.set(one.flag, one.merge ? Object.assign({}, parsed, flags.get(one.flag)) : parsed);
    keys.set(one.flag, key);
  }
  return { set, keys };
}

function describeFault(text: string): string {
  const fault = findJsonFault(text);
  if (fault === undefined) return 'it cannot be read';
  const { line, column } = lineAndColumn(text, fault.offset);
  return `${fault.message} (line ${line}, column ${column})`;
}

/** As Go prints it: `[a b]`, `map[k:v]`, `x`. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(show).join(' ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `map[${Object.entries(value)
      .map(([key, item]) => `${key}:${show(item)}`)
      .join(' ')}]`;
  }
  return String(value);
}

function problem(path: string, message: string): UsageError {
  return new UsageError(`unable to configure the Docker daemon with file ${path}: ${message}`);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
