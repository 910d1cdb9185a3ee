import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { parse } from 'yaml';
import { type CdiEdits, type CdiSpec, readCdiSpec } from './spec.js';

/** Bytes of one file, and files of one directory, that are read. */
const maxBytes = 4 * 1024 * 1024;
const maxFiles = 1000;

export interface CdiDevice {
  /** `vendor/class=name` */
  readonly id: string;
  readonly spec: CdiSpec;
  readonly edits: CdiEdits;
}

export interface CdiDevices {
  readonly devices: ReadonlyMap<string, CdiDevice>;
  /** Faults of files, which make their devices be missing. */
  readonly problems: readonly string[];
}

/**
 * All devices that the files in these directories of the operator's describe. Of a device that two directories have, the
 * later one's is taken; one that a directory has twice is nobody's. They are read anew each time: they come and go, and
 * few containers ask.
 */
export function findCdiDevices(directories: readonly string[]): CdiDevices {
  const devices = new Map<string, CdiDevice>();
  const problems: string[] = [];
  for (const directory of directories) {
    const here = new Map<string, { device: CdiDevice; path: string }[]>();
    for (const path of filesIn(directory, problems)) {
      try {
        const spec = readCdiSpec(readFile(path));
        for (const { name, containerEdits } of spec.devices) {
          const device = { id: `${spec.kind}=${name}`, spec, edits: containerEdits };
          here.set(device.id, [...(here.get(device.id) ?? []), { device, path }]);
        }
      } catch (error) {
        problems.push(`CDI: Error associated with spec file ${path}: ${messageOf(error)}`);
      }
    }
    for (const [id, found] of here) {
      const [only, other] = found;
      if (other) {
        const paths = found.map(({ path }) => path).join(', ');
        problems.push(
          `CDI: Error associated with spec file ${other.path}: conflicting device "${id}" (specs ${paths})`,
        );
        devices.delete(id);
      } else if (only) devices.set(id, only.device);
    }
  }
  return { devices, problems };
}

function filesIn(directory: string, problems: string[]): string[] {
  try {
    const names = readdirSync(directory).filter((name) => ['.json', '.yaml'].includes(extname(name)));
    if (names.length > maxFiles) problems.push(`CDI: only ${maxFiles} files of ${directory} are read`);
    return names
      .sort()
      .slice(0, maxFiles)
      .map((name) => join(directory, name));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') problems.push(`CDI: ${directory} cannot be read: ${messageOf(error)}`);
    return [];
  }
}

function readFile(path: string): unknown {
  // A pipe of that name would hold us up.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw invalidParameter('it is not a regular file');
    if (stats.size > maxBytes) throw invalidParameter(`it is larger than ${maxBytes} bytes`);
    const text = readFileSync(fd, 'utf8');
    return extname(path) === '.json' ? JSON.parse(text) : parse(text);
  } finally {
    closeSync(fd);
  }
}
