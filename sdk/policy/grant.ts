import { sep } from 'node:path';
import { contains, tryParseCidr } from '@cleat/protocol/cidr';
import type { Amount, Demand, ObjectDemand, ObjectType, Setting } from '../authz/demand.js';
import type { FoundObject, Objects } from '../authz/objects.js';
import { imageName } from './image-names.js';
import type { Limits, ObjectLimit } from './limits.js';
import { matchesAny, type Pattern } from './patterns.js';

/** Everything that is known of the caller and of the engine's objects while a request is judged. */
export interface Circumstances {
  readonly objects: Objects;
  readonly ownerLabel: string;
  /** As the owner's label has the caller; undefined: one who cannot own anything. */
  readonly owner: string | undefined;
  /** The caller's own name, `{user}` in patterns. */
  readonly user: string;
  /** Whether no part of a path of the host, below a directory, is a symbolic link. Absent: nobody can look. */
  readonly isPlainPath?: ((path: string, below: string) => Promise<boolean>) | undefined;
}

/** Why limits do not hold a demand; undefined: they do. @throws CleatError when the engine does not say what is needed */
export async function objection(limits: Limits, demand: Demand, now: Circumstances): Promise<string | undefined> {
  switch (demand.what) {
    case 'object':
      return await objectObjection(limits, demand, now);
    case 'create':
      return createObjection(limits, demand, now);
    case 'name':
      return await nameObjection(limits, demand, now);
    case 'all':
      return allObjection(limits, demand, now);
    case 'setting':
      return await settingObjection(limits, demand.setting, demand.value, now);
    case 'amount':
      return amountObjection(limits, demand);
  }
}

const limitOf: Readonly<Record<ObjectType, ObjectLimit | undefined>> = {
  container: 'containers',
  exec: 'containers',
  image: 'images',
  network: 'networks',
  volume: 'volumes',
  plugin: undefined,
};

async function objectObjection(limits: Limits, demand: ObjectDemand, now: Circumstances): Promise<string | undefined> {
  const { type, name, use } = demand;
  const patterns = limits.objects[limitOf[type] ?? 'containers'];
  const isBound = limitOf[type] !== undefined && patterns !== undefined;
  if (type === 'volume' && name === '') {
    const isFree =
      !isBound || (limits.owner !== undefined && patterns.length > 0) || matchesAny(patterns, '', now.user);
    return isFree ? undefined : 'volumes are not granted';
  }
  if (demand.isRemote) return remoteObjection(limits, demand, now);
  const isShared = use !== 'change' || limits.owner === undefined;
  const fits = (names: readonly string[]) =>
    isBound && isShared && names.some((one) => matchesAny(patterns, spelled(type, one), now.user));
  const mustLook = limits.owner !== undefined || isBound || needsMore(limits, demand);
  const found = mustLook ? await now.objects.find(type, name) : undefined;
  if (mustLook && found === undefined) return fits([name]) ? undefined : missing(limits, demand, isBound, now);
  if (found === undefined) return undefined;
  const more = await moreObjection(limits, demand, found, now);
  if (more !== undefined) return more;
  if (demand.everyTag && (isBound || limits.owner !== undefined) && !isIdOf(found, name)) {
    return `the image ${name} stands for all of its tags: name one, such as ${name}:latest`;
  }
  if (fits([...found.names, found.id]) || (limits.owner === undefined && !isBound)) return undefined;
  if (limits.owner === undefined) return `${type} ${name} is not among those granted: ${words(patterns ?? [])}`;
  return isOwn(limits.owner, found.labels, now) ? undefined : `${type} ${name} ${whose(found.labels, now)}`;
}

/** An image of a registry: by its name alone. */
function remoteObjection(
  limits: Limits,
  { name, everyTag }: ObjectDemand,
  { user }: Circumstances,
): string | undefined {
  const { images } = limits.objects;
  if (images === undefined && limits.owner === undefined) return undefined;
  // Any tag of the repository.
  const wanted = everyTag ? imageName(`${name}:*`) : imageName(name);
  return matchesAny(images ?? [], wanted, user) ? undefined : `image ${name} is not among those granted`;
}

const isIdOf = ({ id }: FoundObject, name: string): boolean =>
  /^(sha256:)?[0-9a-f]{4,64}$/.test(name) && id.replace(/^sha256:/, '').startsWith(name.replace(/^sha256:/, ''));

/** Whether the object must be known although its name is not bound. */
function needsMore(limits: Limits, { type, name, use, takes }: ObjectDemand): boolean {
  if (takes) return limits.settings['host-paths'] !== undefined;
  if (type === 'volume') return use === 'use' && limits.settings['volume-options'] !== undefined;
  if (type === 'network') return use === 'use' && name !== 'bridge' && limits.settings.namespaces !== undefined;
  return type === 'image' && use === 'use' && limits.objects.volumes?.length === 0;
}

/** Looks at everything that the object brings along. */
async function moreObjection(
  limits: Limits,
  { type, name, use, takes }: ObjectDemand,
  found: FoundObject,
  now: Circumstances,
): Promise<string | undefined> {
  const wanted: [Setting, string][] = [];
  if (takes) for (const path of found.hostPaths ?? []) wanted.push(['host-paths', path]);
  if (type === 'volume' && use === 'use') {
    wanted.push(['volume-drivers', found.driver || 'local']);
    for (const [key, value] of Object.entries(found.options ?? {})) wanted.push(['volume-options', `${key}=${value}`]);
  }
  // By its ID, the host's network has another name.
  if (type === 'network' && use === 'use' && found.driver === 'host') wanted.push(['namespaces', 'network']);
  for (const [setting, value] of wanted) {
    const reason = await settingObjection(limits, setting, value, now);
    if (reason !== undefined) return `${type} ${name}: ${reason}`;
  }
  if (type === 'image' && use === 'use' && limits.objects.volumes?.length === 0 && (found.volumes ?? 0) > 0) {
    return `image ${name} makes volumes, which are not granted`;
  }
  return undefined;
}

/** An object is not there: the engine says so to a client who looks, and nothing that does not exist can be changed. */
function missing(
  limits: Limits,
  { type, name, use, made }: ObjectDemand,
  isBound: boolean,
  now: Circumstances,
): string | undefined {
  if (use === 'look') return undefined;
  if (type === 'image' && isBound) return `image ${name} is not among those granted`;
  if (type === 'volume' && use === 'use') {
    if (limits.owner === undefined) return isBound ? `volume ${name} is not among those granted` : undefined;
    if (made !== undefined && isOwn(limits.owner, made, now)) return undefined;
    return `volume ${name} is not there: make it first, with ${labelFlag(limits, now)}`;
  }
  // Another one might get the name in this moment.
  return limits.owner === undefined && !isBound
    ? undefined
    : `No such ${type === 'exec' ? 'exec instance' : type}: ${name}`;
}

function createObjection(
  limits: Limits,
  { type, name, labels }: Extract<Demand, { what: 'create' }>,
  now: Circumstances,
): string | undefined {
  if (type !== 'image' && name !== '' && limits.names && !matchesAny(limits.names, plainName(name), now.user)) {
    return `a ${type} may not be called ${name}: ${words(limits.names)}`;
  }
  if (limits.owner === undefined) return undefined;
  if (labels === undefined) return `a changed label ${now.ownerLabel} cannot be judged: leave LABEL out`;
  if (isOwn(limits.owner, labels, now)) return undefined;
  const says = Object.hasOwn(labels, now.ownerLabel)
    ? `it says ${now.ownerLabel}=${labels[now.ownerLabel]}`
    : 'it has none';
  return `a new ${type} must carry your label (${says}): add ${labelFlag(limits, now)}`;
}

const plainName = (name: string): string => name.replace(/^\/+/, '');

async function nameObjection(
  limits: Limits,
  { type, name }: Extract<Demand, { what: 'name' }>,
  now: Circumstances,
): Promise<string | undefined> {
  const patterns = type === 'image' ? limits.imageNames : limits.names;
  if (patterns && !matchesAny(patterns, type === 'image' ? imageName(name) : plainName(name), now.user)) {
    return `${type === 'image' ? 'an image' : `a ${type}`} may not be called ${name}: ${words(patterns)}`;
  }
  if (limits.owner === undefined || type !== 'image') return undefined;
  // A name that is another one's would lead others to this image.
  const found = await now.objects.find('image', name);
  if (found !== undefined && !isOwn(limits.owner, found.labels, now))
    return `the image ${name} ${whose(found.labels, now)}`;
  // The name of an image that is not here yet, and that others may run as the one of a registry.
  const shared = limits.imageNames === undefined && limits.objects.images?.filter(({ text }) => text !== '*');
  return shared && matchesAny(shared, imageName(name), now.user)
    ? `the image name ${name} is one that is granted to use, not to give: choose another, or grant it in image-names`
    : undefined;
}

function allObjection(
  limits: Limits,
  { type, labels }: Extract<Demand, { what: 'all' }>,
  now: Circumstances,
): string | undefined {
  if (limits.owner === undefined) return undefined;
  if (type === 'any') return 'it tells of everybody’s objects, or changes them, and has no filter for your own';
  const { owner } = limits;
  const own = labels.some((label) => {
    const mark = label.indexOf('=');
    return mark > 0 && isOwn(owner, { [label.slice(0, mark)]: label.slice(mark + 1) }, now);
  });
  return own
    ? undefined
    : `only your own objects may be listed: add --filter ${labelFlag(limits, now).replace('--label ', 'label=')}`;
}

async function settingObjection(
  limits: Limits,
  setting: Setting,
  value: string,
  now: Circumstances,
): Promise<string | undefined> {
  const patterns = limits.settings[setting];
  if (patterns === undefined) return undefined;
  const refused = `${setting} ${JSON.stringify(value)} is not granted`;
  if (setting === 'subnets') return patterns.some(({ text }) => holds(text, value)) ? undefined : refused;
  if (setting !== 'host-paths') {
    const isSame = setting === 'capabilities' && value !== 'ALL';
    return patterns.some((one) => (isSame ? capability(one, value, now) : one.matches(value, now.user)))
      ? undefined
      : refused;
  }
  const path = value.replace(/:ro$/, '');
  // A path that may be written may also be read.
  const granting = patterns.find((one) => one.matches(value, now.user) || one.matches(path, now.user));
  if (granting === undefined) return refused;
  const star = granting.text.indexOf('*');
  if (star < 0 || granting.text === '*') return undefined;
  const below = granting.text.slice(0, granting.text.lastIndexOf(sep, star)) || sep;
  if (now.isPlainPath === undefined || (await now.isPlainPath(path, below))) return undefined;
  return `${refused}: there is a symbolic link in it`;
}

/** Whether a block of addresses has all of another one. */
function holds(granted: string, wanted: string): boolean {
  if (granted === '*') return true;
  const block = tryParseCidr(wanted)?.block;
  const around = tryParseCidr(granted)?.block;
  return block !== undefined && around !== undefined && around.prefix <= block.prefix && contains(around, block);
}

/** `ALL` in a policy grants all of them; policies may write `CAP_` and small letters, too. */
function capability(granted: Pattern, value: string, { user }: Circumstances): boolean {
  const text = granted.text.toUpperCase().replace(/^CAP_/, '');
  return text === 'ALL' || text === value || granted.matches(value, user);
}

const flags: Readonly<Record<Amount, string>> = {
  memory: '--memory',
  swap: '--memory-swap',
  cpus: '--cpus',
  pids: '--pids-limit',
};

function amountObjection(limits: Limits, { amount, value }: Extract<Demand, { what: 'amount' }>): string | undefined {
  // As much swap as memory, which is what an engine gives when nothing is said.
  const most = amount === 'swap' ? (limits.memory === undefined ? undefined : 2 * limits.memory) : limits[amount];
  if (most === undefined) return undefined;
  if (value === undefined) return `${amount} must be bounded: add ${flags[amount]}, at most ${shown(amount, most)}`;
  return value > most ? `${amount} of ${shown(amount, value)} is more than ${shown(amount, most)}` : undefined;
}

function shown(amount: Amount, value: number): string {
  if (amount !== 'memory' && amount !== 'swap') return String(value);
  return value % (1 << 20) === 0 ? `${value / (1 << 20)}m` : `${value} bytes`;
}

function isOwn(
  owner: NonNullable<Limits['owner']>,
  labels: Readonly<Record<string, string>>,
  now: Circumstances,
): boolean {
  const value = Object.hasOwn(labels, now.ownerLabel) ? labels[now.ownerLabel] : undefined;
  if (value === undefined) return false;
  return owner === 'self' ? value === now.owner : matchesAny(owner, value, now.user);
}

function whose(labels: Readonly<Record<string, string>>, { ownerLabel }: Circumstances): string {
  const value = Object.hasOwn(labels, ownerLabel) ? labels[ownerLabel] : undefined;
  return value === undefined ? `has no label ${ownerLabel}, so that it is not yours` : `is of ${value}, not yours`;
}

function labelFlag({ owner }: Limits, { ownerLabel, owner: self = '?', user }: Circumstances): string {
  const values =
    owner === 'self' || owner === undefined ? [self] : owner.map(({ text }) => text.replaceAll('{user}', user));
  return values.map((value) => `--label ${ownerLabel}=${value}`).join(' or ');
}

const spelled = (type: ObjectType, name: string): string => (type === 'image' ? imageName(name) : plainName(name));
const words = (patterns: readonly Pattern[]): string =>
  patterns.map(({ text }) => text).join(', ') || 'none is granted';
