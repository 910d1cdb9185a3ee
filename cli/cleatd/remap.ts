import { readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import type { Roots, UserNamespaces } from '@cleat/engine/config';
import { rootOwner, viewOf } from '@cleat/engine/oci/remap';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { findCommand } from '@cleat/linux/host';
import { run } from '@cleat/linux/process/run';
import type { IdMaps, IdRange } from '@cleat/linux/process/user-namespace';
import { UsageError } from './options/parse.js';
import type { Settings } from './settings.js';

/** The user whose ranges are taken for `--userns-remap default`, and who is made for that (moby `daemon/daemon_unix.go`). */
const defaultUser = 'dockremap';
const rangeLength = 65_536;
const firstRange = 100_000;

interface Range {
  readonly start: number;
  readonly count: number;
}

/**
 * The settings with the maps of `--userns-remap`, and with a data root of their own below the one that was named: an
 * engine with other maps, or none, sees nothing of it.
 * @throws UsageError in dockerd's words
 */
export async function withRemap(settings: Settings): Promise<Settings> {
  const asked = settings.values['userns-remap'];
  if (asked === '') return settings;
  const maps = await mapsOf(asked, { mayMakeUser: true });
  if (!maps) {
    const warning = 'user namespaces: root cannot be remapped with itself; user namespaces are off';
    return { ...settings, warnings: [...settings.warnings, warning] };
  }
  const { dataRoot, execRoot } = settings.engine;
  checkWay(execRoot, settings.nameOf('exec-root'));
  makeDirectories(dataRoot, 0o711);
  const own = `${maps.users[0]?.outside}.${maps.groups[0]?.outside}`;
  return { ...settings, engine: { ...settings.engine, remap: maps, dataRoot: join(dataRoot, own) } };
}

/** For extensions that make files for containers: their root on the host, and what their view of the data root is. */
export function remapVariables({ dataRoot, execRoot, remap }: Roots & UserNamespaces): Record<string, string> {
  const { uid, gid } = rootOwner(remap);
  const view = remap ? JSON.stringify({ ...remap, dataRoot, view: viewOf({ execRoot }) }) : '';
  return { containerRoot: `${uid}:${gid}`, containerView: view };
}

/**
 * The runtime makes a container's file system as its root, who is nobody here: the way there must be open to all.
 * @throws UsageError
 */
function checkWay(execRoot: string, name: string): void {
  for (let path = dirname(execRoot); path !== '/'; path = dirname(path)) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats && (stats.mode & 0o001) === 0) {
      throw new UsageError(
        `${name}: users of remapped containers cannot pass through ${path}: chmod o+x ${path}, or name another directory`,
      );
    }
  }
}

/** Looks, and makes nothing. @throws UsageError */
export async function checkRemap(asked: string): Promise<void> {
  await mapsOf(asked, { mayMakeUser: false });
}

/** @returns undefined for root, or when the user is still to be made */
async function mapsOf(asked: string, { mayMakeUser }: { mayMakeUser: boolean }): Promise<IdMaps | undefined> {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major < 5 || (major === 5 && minor < 19)) {
    throw new UsageError(
      `userns-remap needs Linux 5.19, which shows an overlay's layers with other owners; this is ${release()}`,
    );
  }
  const user = await userOf(asked, mayMakeUser);
  if (user === undefined || user.name === 'root') return undefined;
  const [users, groups] = (['subuid', 'subgid'] as const).map((kind) => {
    const ranges = rangesOf(readFile(`/etc/${kind}`), user);
    if (ranges.length === 0) {
      throw new UsageError(`error creating ID mappings: no ${kind} ranges found for user ${JSON.stringify(user.name)}`);
    }
    return mapOf(ranges);
  });
  return { users: users ?? [], groups: groups ?? [] };
}

/** @throws UsageError as moby's parseRemappedRoot */
async function userOf(asked: string, mayMake: boolean): Promise<{ name: string; id: string } | undefined> {
  const [user = '', group, ...more] = asked.split(':');
  if (more.length > 0) {
    throw new UsageError(`Invalid user/group specification in --userns-remap: ${JSON.stringify(asked)}`);
  }
  const isNumber = /^\d+$/.test(user);
  const lookedUp = user === 'default' ? defaultUser : user;
  let found = await entryOf('passwd', lookedUp);
  if (!found && isNumber) throw new UsageError(`Uid ${user} has no entry in /etc/passwd: ${notFound('passwd', user)}`);
  if (!found && user === 'default') {
    if (!mayMake) return undefined;
    await makeUser();
    found = await entryOf('passwd', defaultUser);
  }
  if (!found) {
    throw new UsageError(`Error during uid lookup for ${JSON.stringify(lookedUp)}: ${notFound('passwd', lookedUp)}`);
  }
  const groupName = group ?? lookedUp;
  if (!(await entryOf('group', groupName))) {
    const what = notFound('group', groupName);
    if (/^\d+$/.test(groupName)) throw new UsageError(`Gid ${groupName} has no entry in /etc/group: ${what}`);
    const when = group === undefined ? 'gid' : 'groupname';
    throw new UsageError(`Error during ${when} lookup for ${JSON.stringify(groupName)}: ${what}`);
  }
  return found;
}

const notFound = (database: string, name: string): string =>
  `getent unable to find entry ${JSON.stringify(name)} in ${database} database`;

/** By name or number, as the host's own databases say. */
async function entryOf(database: 'passwd' | 'group', key: string): Promise<{ name: string; id: string } | undefined> {
  if (key === '' || key.startsWith('-')) return undefined;
  const { code, stdout } = await run('getent', [database, key]);
  const [name = '', , id = ''] = stdout.split('\n')[0]?.split(':') ?? [];
  return code === 0 && name !== '' ? { name, id } : undefined;
}

/** As moby's `daemon/internal/usergroup`: a system user, with ranges that nobody has. @throws UsageError */
async function makeUser(): Promise<void> {
  const failed = (why: string) => new UsageError(`Error during "${defaultUser}" user creation: ${why}`);
  const commands = [
    [
      'adduser',
      '--system',
      '--shell',
      '/bin/false',
      '--no-create-home',
      '--disabled-login',
      '--disabled-password',
      '--group',
      defaultUser,
    ],
    ['useradd', '-r', '-s', '/bin/false', defaultUser],
  ];
  const make = commands.find(([program = '']) => findCommand(program) !== undefined);
  if (!make) throw failed('cannot add user; no useradd/adduser binary found');
  await must(make, failed);
  for (const [kind, flag] of [
    ['subuid', '-v'],
    ['subgid', '-w'],
  ] as const) {
    const text = readFile(`/etc/${kind}`);
    if (rangesOf(text, { name: defaultUser, id: '' }).length > 0) continue;
    const start = freeStart(allRanges(text).map(([, range]) => range));
    await must(['usermod', flag, `${start}-${start + rangeLength - 1}`, defaultUser], failed);
  }
}

async function must([program = '', ...args]: readonly string[], failed: (why: string) => UsageError): Promise<void> {
  const { code, stdout, stderr } = await run(program, args);
  if (code !== 0) throw failed(`${program} failed: ${(stderr || stdout).trim()}`);
}

/** The first place after the usual one that overlaps with none of the ranges. */
export function freeStart(ranges: readonly Range[]): number {
  let start = firstRange;
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const overlaps = start < range.start + range.count && range.start < start + rangeLength;
    if (overlaps) start = range.start + range.count;
  }
  return start;
}

/** Lines of /etc/subuid: `name or number:first:count`. */
function allRanges(text: string): [owner: string, range: Range][] {
  return text.split('\n').flatMap((line): [string, Range][] => {
    const [, owner, start, count] = /^\s*([^#:\s][^:]*):(\d+):(\d+)\s*$/.exec(line) ?? [];
    return owner === undefined ? [] : [[owner, { start: Number(start), count: Number(count) }]];
  });
}

export function rangesOf(text: string, { name, id }: { name: string; id: string }): Range[] {
  return allRanges(text).flatMap(([owner, range]) => (owner === name || owner === id ? [range] : []));
}

/** One after the other, from the container's root on. */
export function mapOf(ranges: readonly Range[]): IdRange[] {
  let inside = 0;
  return ranges.map(({ start, count }) => {
    const range = { inside, outside: start, count };
    inside += count;
    return range;
  });
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Without the file nobody has ranges.
    return '';
  }
}
