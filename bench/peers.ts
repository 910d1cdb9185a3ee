import { delimiter, join } from 'node:path';
import { findCommand } from '@cleat/linux/host';
import { run } from '@cleat/linux/process/run';

/**
 * Engines that a user could pick instead. `CLEAT_BENCH_PEERS` names directories with programs of engines that are not
 * installed but unpacked somewhere, as a PATH: a dockerd there is the newer one.
 */
const directories = (process.env.CLEAT_BENCH_PEERS ?? '').split(delimiter).filter(Boolean);

const unpacked = (name: string): string | undefined => directories.find((one) => findCommand(join(one, name)));

/** The PATH's part that a newer dockerd and its companions lie in; undefined when there is none. */
export function newerDockerd(): string | undefined {
  return unpacked('dockerd') && directories.join(delimiter);
}

/** @throws Error when it is not there */
export function podmanPath(): string {
  const path = findCommand('podman');
  if (path === undefined) throw new Error('podman is not installed');
  return path;
}

/** Those that are not here, each with a word why its column is left out. */
export function absentPeers(): Map<string, string> {
  const absent = new Map<string, string>();
  if (newerDockerd() === undefined) {
    absent.set('newer', 'A newer dockerd: left out, CLEAT_BENCH_PEERS names no directory that has one');
  }
  if (findCommand('podman') === undefined) absent.set('podman', 'podman: left out, it is not installed');
  return absent;
}

/** For the notes below the tables. */
export async function peerVersions(): Promise<string[]> {
  const directory = unpacked('dockerd');
  const programs = [directory && join(directory, 'dockerd'), findCommand('podman')].filter((one) => one !== undefined);
  const versions = await Promise.all(programs.map((path) => run(path, ['--version'])));
  const beside = versions.map(({ stdout }) => stdout.split('\n')[0]).join('; ');
  return beside === '' ? [] : [`beside: ${beside}`];
}
