import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { parse } from 'yaml';
import { type CdiEdits, type CdiSpec, readCdiSpec } from './spec.js';

/** Files of one directory that are read, and bytes of those of a form: reading YAML takes hundreds of times as long. */
const maxFiles = 1000;
const maxBytes = { '.json': 4 * 1024 * 1024, '.yaml': 512 * 1024 } as const;
type Form = keyof typeof maxBytes;
const formOf = (path: string): Form => (extname(path) === '.json' ? '.json' : '.yaml');

/** Each file as it was read last: `docker info` asks for all of them, and they seldom change. */
const remembered = new Map<string, { readonly state: string; readonly spec: CdiSpec | Error }>();

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
 * later one's is taken; one that a directory has twice is nobody's. They come and go, so they are looked for each time, and
 * read where they have changed.
 */
export function findCdiDevices(directories: readonly string[]): CdiDevices {
  const devices = new Map<string, CdiDevice>();
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const directory of directories) {
    const here = new Map<string, { device: CdiDevice; path: string }[]>();
    const left: Record<Form, number> = { ...maxBytes };
    for (const path of filesIn(directory, problems)) {
      seen.add(path);
      try {
        const spec = specIn(path, left);
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
  for (const path of remembered.keys()) if (!seen.has(path)) remembered.delete(path);
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

/** @param left bytes that may be read yet; they are spent also where the file is remembered */
function specIn(path: string, left: Record<Form, number>): CdiSpec {
  // A pipe of that name would hold us up.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd, { bigint: true });
    if (!stats.isFile()) throw invalidParameter('it is not a regular file');
    const form = formOf(path);
    const size = Number(stats.size);
    if (size > left[form]) {
      throw invalidParameter(`it is too large: of ${form} files of a directory ${maxBytes[form]} bytes are read`);
    }
    left[form] -= size;
    const state = [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(' ');
    const known = remembered.get(path);
    const spec = known?.state === state ? known.spec : readSpec(fd, form);
    remembered.set(path, { state, spec });
    if (spec instanceof Error) throw spec;
    return spec;
  } finally {
    closeSync(fd);
  }
}

/** @returns what is wrong with it, otherwise */
function readSpec(fd: number, form: Form): CdiSpec | Error {
  try {
    const text = readFileSync(fd, 'utf8');
    return readCdiSpec(form === '.json' ? JSON.parse(text) : parse(text));
  } catch (error) {
    return error instanceof Error ? error : systemError(messageOf(error));
  }
}
