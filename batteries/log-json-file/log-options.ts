import { invalidParameter } from '@cleat/protocol/errors';
import type { LogInfo } from '@cleat/protocol/kinds/log';
import {
  attributeOptions,
  booleanOption,
  checkNames,
  integerOption,
  sizeOption,
  taggedAttributes,
} from '@cleat/sdk/logs/options';
import type { FileOptions } from '@cleat/sdk/logs/rotating-file';

export interface JsonFileOptions extends FileOptions {
  /** JSON that each line carries under `attrs`. */
  attributes?: string;
}

const known = ['max-size', 'max-file', 'compress', ...attributeOptions];

/** @throws InvalidParameter, in Docker's words (moby `daemon/logger/jsonfilelog`) */
export function jsonFileOptions(info: LogInfo): JsonFileOptions {
  const config = info.Config ?? {};
  checkNames(info, known, (name) => `unknown log opt '${name}' for json-file log driver`);
  if (!info.LogPath?.startsWith('/')) throw invalidParameter('json-file needs LogPath, an absolute path');
  const maxBytes = config['max-size'] === undefined ? undefined : sizeOption(config['max-size']);
  if (maxBytes === 0) throw invalidParameter('max-size must be a positive number');
  const maxFiles = integerOption(config['max-file'] ?? '1');
  if (maxFiles < 1) throw invalidParameter('max-file cannot be less than 1');
  const compress = booleanOption(config.compress ?? 'false');
  if (compress && (maxFiles === 1 || maxBytes === undefined)) {
    throw invalidParameter('compress cannot be true when max-file is less than 2 or max-size is not set');
  }
  const attributes = taggedAttributes(info);
  return {
    path: info.LogPath,
    maxBytes,
    maxFiles,
    compress,
    attributes: attributes.length > 0 ? JSON.stringify(Object.fromEntries(attributes)) : undefined,
  };
}
