import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { processesOf } from '../../../cli/sweep/processes.js';
import type { EngineRoots } from '../../../cli/sweep/roots.js';

/** The engine that leaves the traces. */
export interface Owner extends EngineRoots {
  /** PID of the engine's process. */
  readonly pid: number;
  readonly cgroupParent: string;
  /** Prefix of the names of the plugins' own interfaces. */
  readonly linkPrefix: string;
}

/**
 * Everything on this host that an engine and its plugins are the cause of, a line each: mounts, namespaces, interfaces,
 * firewall rules, processes, control groups, files, open files, and what batteries keep as taken. An engine that has
 * given back what it took has the same traces as before.
 */
export function tracesOf(owner: Owner): string[] {
  return [
    ...mounts(owner),
    ...links(owner),
    ...rules(owner),
    ...processes(owner),
    ...cgroups(owner),
    ...files(owner),
    ...openFiles(owner),
    ...takenFromBatteries(owner),
  ].sort();
}

/** @returns what is there and was not, and what was there and is not, a sentence each */
export function changes(before: readonly string[], after: readonly string[]): string[] {
  const left = subtract(after, before).map((trace) => `left behind: ${trace}`);
  // A file that was closed is nothing lost: the first look may have met the engine at work.
  const missed = subtract(before, after).filter((trace) => !trace.startsWith('open file '));
  const gone = missed.map((trace) => `gone: ${trace}`);
  return [...left, ...gone];
}

/** @returns those of `from` that are not in `what`; each of several equal ones counts. */
export function subtract(from: readonly string[], what: readonly string[]): string[] {
  const rest = new Map<string, number>();
  for (const one of what) rest.set(one, (rest.get(one) ?? 0) + 1);
  return from.filter((one) => {
    const count = rest.get(one) ?? 0;
    rest.set(one, count - 1);
    return count <= 0;
  });
}

/** A namespace that is kept by a file counts as a mount. */
function mounts({ dataRoot, execRoot }: EngineRoots): string[] {
  return [dataRoot, execRoot].flatMap((root) =>
    listMounts(root).map(({ target, type }) => `mount ${target} (${type})`),
  );
}

function links({ dataRoot, linkPrefix }: Owner): string[] {
  const all = JSON.parse(execFileSync('ip', ['-json', 'link', 'show'], { encoding: 'utf8' })) as {
    ifname: string;
    ifalias?: string;
  }[];
  const id = engineId(dataRoot);
  return all
    .filter(({ ifname, ifalias }) => ifname.startsWith(linkPrefix) || ifalias?.includes(id))
    .map(({ ifname }) => `interface ${ifname}`);
}

function rules({ dataRoot }: Owner): string[] {
  const tag = engineId(dataRoot).replaceAll('-', '').slice(0, 12);
  const own = firewall('nft', 'list', 'table', 'inet', `cleat_${tag}`);
  const shared = firewall('iptables-save').filter((line) => line.includes(`cleat:${tag}`) && !isForLink(line));
  return [...own, ...shared].map((line) => `firewall ${line.trim()}`).filter((line) => line !== 'firewall ');
}

/** A dockerd that starts beside the engine makes it add rules for the bridges that it has; they go with these. */
const isForLink = (rule: string): boolean =>
  [...rule.matchAll(/ -[io] (\S+)/g)].some(([, name = '']) => existsSync(`/sys/class/net/${name}`));

function firewall(command: string, ...args: string[]): string[] {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n');
  } catch {
    // There is no such table, or no such command.
    return [];
  }
}

function processes(roots: Owner): string[] {
  return processesOf(roots)
    .filter(({ pid }) => pid !== roots.pid)
    .map(({ command }) => `process ${command}`);
}

function cgroups({ cgroupParent }: Owner): string[] {
  const root = '/sys/fs/cgroup';
  const hierarchies = ['', ...readdirSync(root)];
  return hierarchies
    .map((hierarchy) => join(root, hierarchy, cgroupParent))
    .filter((path) => existsSync(path))
    .flatMap((path) => directoriesIn(path).map((name) => `control group ${join(path, name)}`));
}

/** By name: what is in them grows with what runs. */
function files({ dataRoot, execRoot }: Owner): string[] {
  const unmounted = (path: string) => !listed.has(path);
  const listed = new Set(listMounts(execRoot).map(({ target }) => target));
  const kept = ['containers', 'volumes'].map((name) => join(dataRoot, name)).filter((path) => existsSync(path));
  return [execRoot, ...kept].flatMap((root) => walk(root, unmounted).map((path) => `file ${path}`));
}

/** @param enters whether to look into a directory */
function walk(directory: string, enters: (path: string) => boolean): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    // Files that a container wrote into its own layer or volume do not count.
    const inside = entry.isDirectory() && enters(path) && !['upper', 'work', '_data'].includes(entry.name);
    return [path, ...(inside ? walk(path, enters) : [])];
  });
}

/** Files that the engine has open below its roots: a FIFO or log that stays open keeps a removed container's space. */
function openFiles({ pid, dataRoot, execRoot }: Owner): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/${pid}/fd/${fd}`);
      const watched = [join(dataRoot, 'containers'), execRoot].some((root) => path.startsWith(`${root}/`));
      return watched ? [`open file ${path}`] : [];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}

/** Pools, addresses, endpoints: the keys of the durable maps of `sdk/state.ts`. */
function takenFromBatteries({ dataRoot }: Owner): string[] {
  const root = join(dataRoot, 'extensions');
  if (!existsSync(root)) return [];
  return walk(root, () => true).flatMap((path) => {
    const state = durableMap(path);
    return [...state].map(([key, value]) => `state of ${relative(root, path)}: ${key} ${contentOf(value)}`);
  });
}

function durableMap(path: string): Map<string, unknown> {
  const values = new Map<string, unknown>();
  let lines: string[];
  try {
    lines = readFileSync(path, 'utf8').split('\n');
  } catch {
    // A directory.
    return values;
  }
  for (const line of lines.filter((text) => text.startsWith('['))) {
    const [key, value] = JSON.parse(line) as [string, unknown?];
    if (value === undefined) values.delete(key);
    else values.set(key, value);
  }
  return values;
}

/** Which addresses of a pool are taken is its content; where the search for the next one begins is nobody's concern. */
function contentOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const { last: _, ...content } = value as Record<string, unknown>;
  return JSON.stringify(content);
}

const engineId = (dataRoot: string): string => readFileSync(join(dataRoot, 'engine-id'), 'utf8').trim();

function directoriesIn(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}
