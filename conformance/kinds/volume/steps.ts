import { readFileSync } from 'node:fs';
import { basename, isAbsolute, join } from 'node:path';
import type { Volume, volumeKind } from '@cleat/protocol/kinds/volume';
import { parseMountInfo } from '@cleat/protocol/mountinfo';
import type { Static } from '@cleat/protocol/schema';
import { problemWithDirectory, readText, writeText } from '../../verify/files.js';
import { Finding, type Said } from '../../verify/finding.js';
import type { Trial } from '../../verify/trial.js';

export type VolumeTrial = Trial<typeof volumeKind>;

/** The author's options for a volume; null, as dockerd sends it, when a user gives none. */
export function options(trial: VolumeTrial): Record<string, string> | null {
  return trial.session.settings.options ? { ...trial.session.settings.options } : null;
}

/** A new volume, which is removed at the end. @returns its name */
export async function made(trial: VolumeTrial, name = trial.fresh()): Promise<string> {
  removedAtTheEnd(trial, name);
  await trial.succeeds('Create', { Name: name, Opts: options(trial) }, 'a volume to be made');
  return name;
}

/** However the case ends. */
export function removedAtTheEnd(trial: VolumeTrial, name: string): void {
  trial.defer(async () => {
    const removed = await trial.ask('Remove', { Name: name });
    if (!trial.succeeded('Remove', removed) && (await known(trial, name))) throw new Error(`volume ${name}`);
    const left = mountsOf(name);
    if (left.length > 0) throw new Error(`mounts of a volume that is removed: umount -l ${left.join(' ')}`);
  });
}

/** No other path has the name of a volume of this verifier's in it. */
function mountsOf(name: string): string[] {
  const own = basename(name);
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'))
    .map(({ target }) => target)
    .filter((path) => path.endsWith(`/${own}`));
}

/** Mounts it, for one container. @returns the mount point */
export async function mounted(
  trial: VolumeTrial,
  name: string,
  id = trial.freshId(),
): Promise<{ id: string; path: string }> {
  unmountedAtTheEnd(trial, name, id);
  const { Mountpoint = '' } = await trial.succeeds('Mount', { Name: name, ID: id }, 'the volume to be mounted');
  trial.holds(isAbsolute(Mountpoint), 'a Mountpoint, which is an absolute path');
  return { id, path: Mountpoint };
}

export function unmountedAtTheEnd(trial: VolumeTrial, name: string, id: string): void {
  trial.defer(async () => {
    // Not twice: a plugin that counts would keep a trace of it, and a case of its own makes sure of that.
    if (!isReleased(trial, id)) await trial.ask('Unmount', { Name: name, ID: id });
  });
}

export async function unmounted(trial: VolumeTrial, name: string, id: string): Promise<void> {
  await trial.succeeds('Unmount', { Name: name, ID: id }, 'the volume to be unmounted');
  released.set(trial, [...(released.get(trial) ?? []), id]);
}

/** The IDs of mounts that a trial has ended itself. */
const released = new WeakMap<VolumeTrial, readonly string[]>();

const isReleased = (trial: VolumeTrial, id: string): boolean => released.get(trial)?.includes(id) === true;

/** Whether the plugin knows a volume, by Get: an error and a null Volume both mean no. */
export async function known(trial: VolumeTrial, name: string): Promise<boolean> {
  const said = await trial.ask('Get', { Name: name });
  return trial.succeeded('Get', said) && trial.read('Get', said).Volume != null;
}

/** @throws Finding unless Get finds it */
export async function found(trial: VolumeTrial, name: string, expected: string): Promise<Volume> {
  const { Volume: volume } = await trial.succeeds('Get', { Name: name }, expected);
  if (volume?.Name !== name) throw new Finding(`${expected}: a Volume of that name`, trial.calls.at(-1));
  return volume;
}

export async function listed(trial: VolumeTrial): Promise<Volume[]> {
  const { Volumes } = await trial.succeeds('List', {}, 'a list of volumes');
  return Volumes ?? [];
}

/** @throws Finding unless a file can be written there */
export async function writes(path: string, text: string, said: Said | undefined): Promise<void> {
  const problem = (await problemWithDirectory(path)) ?? (await writeText(join(path, 'verified'), text));
  if (problem !== undefined) throw new Finding('a directory that can be written to', said, `${path}: ${problem}`);
}

/** @throws Finding unless the file written before is there */
export async function reads(path: string, text: string, expected: string, said: Said | undefined): Promise<void> {
  const read = await readText(join(path, 'verified'));
  if (read.text !== text)
    throw new Finding(expected, said, `${join(path, 'verified')}: ${read.why || `it says '${read.text}'`}`);
}

/** Its capabilities; an error, or no such method, declares nothing. */
export async function capabilities(trial: VolumeTrial): Promise<Capabilities> {
  const said = await trial.ask('Capabilities', {});
  return trial.succeeded('Capabilities', said) ? (trial.read('Capabilities', said).Capabilities ?? {}) : {};
}

type Capabilities = NonNullable<Static<(typeof volumeKind.methods.Capabilities)['response']>['Capabilities']>;
