import type { LogInfo } from '@cleat/protocol/kinds/log';
import { parseBinarySize, parseSize } from '@cleat/protocol/size';

/** How much of what a container prints is kept. */
export interface Bound {
  /** For `docker logs`: a file that has grown beyond `bytes` is closed, and `files` closed ones are kept. */
  copy: { bytes: number; files: number };
  /** For its log driver: so many bytes may wait; of what is more, the oldest is dropped and counted. */
  backlog: number;
}

/** Bytes for attach and recovery of a container whose log nobody may read. */
const ofNone = { bytes: 1024 * 1024, files: 2 };
/** Docker's copy beside a driver that cannot be read (moby `daemon/logger/loggerutils/cache`), and with `local`. */
const ofDocker = { bytes: 20 * 1024 * 1024, files: 5 };
/** moby `daemon/logger/ring.go`. */
const nonBlockingBytes = 1e6;

/**
 * Reads the log options as Docker does: json-file keeps everything unless told otherwise, `local` has a bound, and
 * so has the engine's own copy of what other drivers get (`cache-…`). With `mode=non-blocking` the driver's backlog is
 * `max-buffer-size`; otherwise what the operator set, and at least the copy, which is on the disk anyway.
 * @param backlog the operator's bound
 */
export function boundOf(driver: string, config: LogInfo['Config'], backlog: number): Bound {
  if (driver === 'none') return { copy: ofNone, backlog: 0 };
  const options = config ?? {};
  const copy = copyOf(driver, options);
  const buffer = parseBinarySize(options['max-buffer-size'] ?? '') || nonBlockingBytes;
  const kept = copy.bytes * (copy.files + 1);
  return { copy, backlog: options.mode === 'non-blocking' ? buffer : Math.max(backlog, kept) };
}

function copyOf(driver: string, options: Readonly<Record<string, string>>): Bound['copy'] {
  const own = driver === 'json-file' || driver === 'local';
  const prefix = own ? '' : 'cache-';
  const fallback = driver === 'json-file' ? { bytes: Number.POSITIVE_INFINITY, files: 1 } : ofDocker;
  const bytes = parseSize(options[`${prefix}max-size`] ?? '') || fallback.bytes;
  const files = Number.parseInt(options[`${prefix}max-file`] ?? '', 10) || fallback.files;
  return { bytes, files: Math.max(1, files) };
}
