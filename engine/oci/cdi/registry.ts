import { extname, join } from 'node:path';
import type { SmallFile } from '@cleat/linux/files/small-files';
import type { Helper } from '@cleat/linux/helper/helper';
import { messageOf, systemError } from '@cleat/protocol/errors';
import { parse } from 'yaml';
import { type CdiEdits, type CdiSpec, readCdiSpec } from './spec.js';

/** Files of one directory that are read, and bytes of those of a form: reading YAML takes hundreds of times as long. */
const maxFiles = 1000;
const maxBytes = { '.json': 4 * 1024 * 1024, '.yaml': 512 * 1024 };
/** The directories are the operator's, and may lie on a mount that hangs: who asks waits no longer. */
const deadlineMs = 2_000;

/** Each file as it was read last, by its path: `docker info` asks for all of them, and they seldom change. */
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
export async function findCdiDevices(
  directories: readonly string[],
  helper: Pick<Helper, 'call'>,
): Promise<CdiDevices> {
  const devices = new Map<string, CdiDevice>();
  const problems: string[] = [];
  const read = await Promise.all(directories.map((directory) => filesIn(directory, helper)));
  for (const { directory, files, problem } of read) {
    if (problem !== undefined) problems.push(`CDI: ${problem}`);
    const here = new Map<string, { device: CdiDevice; path: string }[]>();
    for (const file of files) {
      const path = join(directory, file.name);
      try {
        const spec = specIn(path, file);
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

interface Directory {
  readonly directory: string;
  readonly files: readonly SmallFile[];
  readonly problem?: string;
}

async function filesIn(directory: string, helper: Pick<Helper, 'call'>): Promise<Directory> {
  const below = join(directory, '/');
  const mine = [...remembered].filter(([path]) => path.startsWith(below));
  const known = Object.fromEntries(mine.map(([path, { state }]) => [path.slice(below.length), state]));
  try {
    const { files, hasMore } = await helper.call(
      'smallFiles',
      { directory, maxBytes, maxFiles, known },
      { deadlineMs },
    );
    const names = new Set(files.map(({ name }) => name));
    for (const name of Object.keys(known)) if (!names.has(name)) remembered.delete(join(directory, name));
    return { directory, files, ...(hasMore && { problem: `only ${maxFiles} files of ${directory} are read` }) };
  } catch (error) {
    return { directory, files: [], problem: `${directory} cannot be read: ${messageOf(error)}` };
  }
}

/** @throws what is wrong with the file */
function specIn(path: string, { state = '', text, problem }: SmallFile): CdiSpec {
  if (problem !== undefined) {
    remembered.delete(path);
    throw systemError(problem);
  }
  const known = remembered.get(path);
  const spec = text === undefined && known ? known.spec : readSpec(path, text ?? '');
  remembered.set(path, { state, spec });
  if (spec instanceof Error) throw spec;
  return spec;
}

/** @returns what is wrong with it, otherwise */
function readSpec(path: string, text: string): CdiSpec | Error {
  try {
    return readCdiSpec(extname(path) === '.json' ? JSON.parse(text) : parse(text));
  } catch (error) {
    return error instanceof Error ? error : systemError(messageOf(error));
  }
}
