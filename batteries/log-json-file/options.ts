import { invalidParameter } from '@cleat/protocol/errors';
import type { LogInfo } from '@cleat/protocol/kinds/log';
import { logAttributes } from '@cleat/protocol/log-attributes';
import { parseSize } from '@cleat/protocol/size';
import { renderTag } from './tag.js';

/** Where and how one container's log is written. */
export interface FileOptions {
  path: string;
  /** Bytes after which a file is closed; undefined: it grows for ever. */
  maxBytes?: number;
  /** How many files there are, the one being written included. */
  maxFiles: number;
  compress: boolean;
  /** JSON that each line carries under `attrs`. */
  attributes?: string;
}

export const ownOptions = ['max-size', 'max-file', 'compress', 'labels', 'labels-regex', 'env', 'env-regex', 'tag'];
const known = new Set([
  ...ownOptions,
  ...['mode', 'max-buffer-size', 'cache-disabled', 'cache-max-size', 'cache-max-file', 'cache-compress'],
]);

/** @throws InvalidParameter, in Docker's words (moby `daemon/logger/jsonfilelog`) */
export function fileOptions(info: LogInfo): FileOptions {
  const config = info.Config ?? {};
  for (const key of Object.keys(config)) {
    if (!known.has(key)) throw invalidParameter(`unknown log opt '${key}' for json-file log driver`);
  }
  if (!info.LogPath?.startsWith('/')) throw invalidParameter('json-file needs LogPath, an absolute path');
  const maxBytes = sizeOption(config['max-size']);
  const maxFiles = countOption(config['max-file']);
  const compress = booleanOption(config.compress);
  if (compress && (maxFiles === 1 || maxBytes === undefined)) {
    throw invalidParameter('compress cannot be true when max-file is less than 2 or max-size is not set');
  }
  const attributes: Record<string, string> = attributesOf(info);
  const tag = config.tag ? renderTag(config.tag, info) : '';
  if (tag) attributes.tag = tag;
  const some = Object.keys(attributes).length > 0;
  return { path: info.LogPath, maxBytes, maxFiles, compress, attributes: some ? sortedJson(attributes) : undefined };
}

function attributesOf(info: LogInfo): Record<string, string> {
  try {
    return logAttributes(info);
  } catch (cause) {
    throw invalidParameter(`error parsing regexp: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function sizeOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseSize(text);
  if (bytes === undefined) throw invalidParameter(`invalid size: '${text}'`);
  if (bytes <= 0) throw invalidParameter('max-size must be a positive number');
  return bytes;
}

function countOption(text: string | undefined): number {
  if (text === undefined) return 1;
  if (!/^[+-]?\d+$/.test(text)) throw invalidParameter(`strconv.Atoi: parsing "${text}": invalid syntax`);
  const count = Number(text);
  if (count < 1) throw invalidParameter('max-file cannot be less than 1');
  return count;
}

function booleanOption(text: string | undefined): boolean {
  if (text === undefined) return false;
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(text)) return false;
  throw invalidParameter(`strconv.ParseBool: parsing "${text}": invalid syntax`);
}

/** As Go marshals a map: keys in order. */
function sortedJson(attributes: Record<string, string>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))));
}
