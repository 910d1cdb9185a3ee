import { invalidParameter, messageOf } from '@cleat/protocol/errors';
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

export interface LocalOptions extends FileOptions {
  /** Attributes of each entry, in order of their names. */
  attributes: [name: string, value: string][];
}

const known = ['max-size', 'max-file', 'compress', ...attributeOptions];
const defaults = { maxBytes: 20 * 1024 * 1024, maxFiles: 5 };

/** @throws InvalidParameter, in Docker's words (moby `daemon/logger/local/config.go`) */
export function localOptions(info: LogInfo): LocalOptions {
  const config = info.Config ?? {};
  checkNames(info, known, (name) => `unknown log opt '${name}' for log driver local`);
  if (!info.LogPath?.startsWith('/')) throw invalidParameter('local needs LogPath, an absolute path');
  const option = <T>(name: string, what: string, fallback: T, parse: (text: string) => T): T => {
    const text = config[name];
    if (text === undefined) return fallback;
    try {
      return parse(text);
    } catch (cause) {
      throw invalidParameter(`${what}: ${messageOf(cause)}`, { cause });
    }
  };
  const size = `invalid value for max-size: ${config['max-size']}`;
  const maxBytes = option('max-size', size, defaults.maxBytes, sizeOption);
  const file = `invalid value for max-file: ${config['max-file']}`;
  const maxFiles = option('max-file', file, defaults.maxFiles, integerOption);
  const compress = option('compress', 'invalid boolean value for compress', true, booleanOption);
  if (maxFiles < 0) throw invalidParameter('max-file must not be negative');
  if (compress && maxFiles <= 1) throw invalidParameter('compression cannot be enabled when max file count is 1');
  return { path: info.LogPath, maxBytes, maxFiles, compress, attributes: taggedAttributes(info) };
}
