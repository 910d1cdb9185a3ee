import { hostname } from 'node:os';
import { invalidParameter } from '@cleat/protocol/errors';
import type { LogInfo } from '@cleat/protocol/kinds/log';
import { logAttributes, taggedAttributes as tagged } from '@cleat/protocol/log-attributes';
import { renderTag } from '@cleat/protocol/log-tag';
import { parseSize } from '@cleat/protocol/size';

/** Options that select what each line carries; every driver of Docker's has them. */
export const attributeOptions = ['labels', 'labels-regex', 'env', 'env-regex', 'tag'] as const;

/** Options that the engine itself acts on for every driver; the driver gets them, too. */
const engineOptions = new Set([
  ...['mode', 'max-buffer-size', 'cache-disabled', 'cache-max-size', 'cache-max-file', 'cache-compress'],
  ...['cache-labels', 'cache-labels-regex', 'cache-env', 'cache-env-regex', 'cache-tag'],
]);

/** @param unknown what to say of an option that is not among `known` @throws InvalidParameter */
export function checkNames(info: LogInfo, known: readonly string[], unknown: (name: string) => string): void {
  for (const name of Object.keys(info.Config ?? {})) {
    if (!known.includes(name) && !engineOptions.has(name)) throw invalidParameter(unknown(name));
  }
}

/** The attributes that `labels`, `env` and their like select. @throws InvalidParameter for a bad expression */
export function attributesOf(info: LogInfo): Record<string, string> {
  return logAttributes(info);
}

/**
 * The same and, when the user asked for one, the tag, as json-file and local keep them; in order of their names.
 * @throws InvalidParameter
 */
export function taggedAttributes(info: LogInfo): [name: string, value: string][] {
  return Object.entries(tagged(info, hostname())).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The tag of each line, `fallback` being the driver's own template. @throws InvalidParameter */
export function tagOf(info: LogInfo, fallback: string): string {
  return renderTag(info.Config?.tag || fallback, info, hostname());
}

/** A size in decimal units. @throws InvalidParameter in Docker's words */
export function sizeOption(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) throw invalidParameter(`invalid size: '${text}'`);
  return bytes;
}

/** As Go's strconv.Atoi. @throws InvalidParameter */
export function integerOption(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw invalidParameter(`strconv.Atoi: parsing "${text}": invalid syntax`);
  return Number(text);
}

/** As Go's strconv.ParseBool. @throws InvalidParameter */
export function booleanOption(text: string): boolean {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(text)) return false;
  throw invalidParameter(`strconv.ParseBool: parsing "${text}": invalid syntax`);
}
