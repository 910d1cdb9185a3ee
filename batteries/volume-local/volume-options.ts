import { invalidParameter } from '@cleat/protocol/errors';
import { parseBinarySize } from '@cleat/protocol/size';
import { checkCifsDevice } from './cifs.js';

/** The mount for a volume's directory, as `opts.json` keeps it (moby `daemon/volume/local`, `optsConfig`). */
export interface MountOptions {
  MountType: string;
  MountOpts: string;
  MountDevice: string;
}

const known = new Set(['type', 'o', 'device', 'size']);
const needs: Record<string, string[]> = { device: ['type'], type: ['device'], o: ['device', 'type'] };

/**
 * Reads `-o type=… -o device=… -o o=…`.
 * @returns undefined for a plain directory
 * @throws InvalidParameter in Docker's words
 */
export function readOptions(options: Readonly<Record<string, string>>): MountOptions | undefined {
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalidParameter(`invalid option: ${JSON.stringify(name)}`);
  }
  const { type = '', device = '', o = '' } = options;
  if (type === 'cifs') checkCifsDevice(device);
  checkSize(options.size);
  for (const [name, others] of Object.entries(needs)) {
    const missing = name in options ? others.find((other) => !(other in options)) : undefined;
    if (missing) throw invalidParameter(`missing required option: ${JSON.stringify(missing)}`);
  }
  return type || device ? { MountType: type, MountOpts: o, MountDevice: device } : undefined;
}

/** A limit that would not hold is refused, never ignored. */
function checkSize(size: string | undefined): void {
  if (size === undefined) return;
  const bytes = parseBinarySize(size);
  if (bytes === undefined) throw invalidParameter(`invalid size: '${size}'`);
  if (bytes > 0) {
    throw invalidParameter('quota size requested but no quota support: for a limit use type=tmpfs with o=size=…');
  }
}
