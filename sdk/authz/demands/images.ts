import { forbidden } from '@cleat/protocol/errors';
import { isRecord, parseJson } from '@cleat/protocol/json';
import type { Demand, Labels } from '../demand.js';
import type { Seen } from '../seen.js';
import type { Query } from '../target.js';
import { object, setting } from './words.js';

/** Demands of requests by which images come, go, or get a name. @throws Forbidden */
export function imageDemands(seen: Seen): Demand[] {
  const { action, params, query } = seen;
  switch (action.name) {
    case 'image:pull':
      return pull(query);
    case 'image:push':
      return push(params.name ?? '', query.one('tag'));
    case 'image:tag':
      return [imageName(withTag(query.one('repo'), query.one('tag')))];
    case 'image:save':
      return [...(params.name === undefined ? query.all('names') : [params.name])].map(saved);
    case 'image:distribution':
      // The engine asks the registry that the name has.
      return [{ what: 'object', type: 'image', name: params.image ?? '', use: 'look', isRemote: true }];
    case 'image:search': {
      const term = query.one('term');
      const [host = ''] = term.split('/', 1);
      return term.includes('/') && /[.:]|^localhost$/.test(host) ? [setting('remotes', term)] : [];
    }
    case 'container:commit':
      return commit(query);
    case 'build:build':
      return build(query);
    default:
      return [];
  }
}

const imageName = (name: string): Demand => ({ what: 'name', type: 'image', name });

/** From a registry, or from an archive: of the client, or that the engine fetches. */
function pull(query: Query): Demand[] {
  const [image, source] = [query.one('fromImage'), query.one('fromSrc')];
  if (image !== '') {
    const name = withTag(image, query.one('tag'));
    return [{ what: 'object', type: 'image', name, use: 'use', isRemote: true, ...everyTag(name) }];
  }
  const named = query.one('repo');
  return [
    setting('unseen', 'image:import'),
    ...(source === '' || source === '-' ? [] : [setting('remotes', source)]),
    ...(named === '' ? [] : [imageName(withTag(named, query.one('tag')))]),
  ];
}

/** Without a tag it is all tags of the repository. */
function push(name: string, tag: string): Demand[] {
  const whole = withTag(name, tag);
  return [{ what: 'object', type: 'image', name: whole, use: 'use', ...everyTag(whole) }, imageName(whole)];
}

const saved = (name: string): Demand => ({ what: 'object', type: 'image', name, use: 'use', ...everyTag(name) });

const everyTag = (name: string): { everyTag?: true } => (/[:@][^/]*$/.test(name) ? {} : { everyTag: true });

function withTag(name: string, tag: string): string {
  if (tag === '') return name;
  return tag.includes(':') ? `${name}@${tag}` : `${name}:${tag}`;
}

function commit(query: Query): Demand[] {
  const repo = query.one('repo');
  const changes = query.all('changes').join('\n');
  return [
    ...(repo === '' ? [] : [imageName(withTag(repo, query.one('tag')))]),
    // An image has the label of its container, unless it is changed on the way.
    ...(/^\s*label\b/im.test(changes)
      ? [{ what: 'create', type: 'image', name: repo, labels: undefined } as const]
      : []),
  ];
}

/** By the classic door. What the Dockerfile does is done in containers of the build, within these bounds. */
function build(query: Query): Demand[] {
  const networks = query.one('networkmode').trim();
  const remote = query.one('remote');
  const parent = query.one('cgroupparent');
  const secure = [...query.all('securityopt'), ...query.all('entitlements')].filter(
    (value) => !['', 'null', '[]'].includes(value),
  );
  const names = query.all('t').filter((name) => name !== '');
  return [
    { what: 'create', type: 'image', name: names[0] ?? '', labels: labelsIn(query.one('labels')) },
    ...names.map(imageName),
    ...networkDemands(networks),
    ...cacheImages(query.one('cachefrom')).map((name) => object('image', name, 'use')),
    ...(remote === '' || remote === 'client-session' ? [] : [setting('remotes', remote)]),
    ...(parent === '' ? [] : [setting('cgroup-parents', parent)]),
    ...secure.map((value) => setting('security-options', value)),
    // BuildKit: what it is to do comes by another connection, which nobody sees.
    ...(query.one('version') === '2' || query.one('session') !== '' || remote === 'client-session'
      ? [setting('unseen', 'build:buildkit')]
      : []),
    ...(['', 'null', '[]'].includes(query.one('outputs')) ? [] : [setting('unseen', 'build:outputs')]),
    ...amounts(query),
  ];
}

function networkDemands(mode: string): Demand[] {
  if (mode === 'host') return [setting('namespaces', 'network')];
  if (mode.startsWith('container:')) return [object('container', mode.slice('container:'.length), 'change')];
  if (mode === 'none') return [];
  return [object('network', mode === '' || mode === 'default' ? 'bridge' : mode, 'use')];
}

/** Undefined bounds are told: a build runs commands as a container does. */
function amounts(query: Query): Demand[] {
  const [memory = 0, swap = 0, quota = 0, period = 0] = ['memory', 'memswap', 'cpuquota', 'cpuperiod'].map((name) => {
    const text = query.one(name);
    if (text !== '' && !/^-?\d{1,18}$/.test(text)) throw forbidden(`the query of the request has no number as ${name}`);
    return Number(text);
  });
  return [
    { what: 'amount', amount: 'memory', value: memory > 0 ? memory : undefined },
    ...(swap === 0 ? [] : [{ what: 'amount', amount: 'swap', value: swap > 0 ? swap : undefined } as const]),
    { what: 'amount', amount: 'cpus', value: quota > 0 ? quota / (period > 0 ? period : 100_000) : undefined },
  ];
}

/** @throws Forbidden */
function labelsIn(text: string): Labels {
  const value = jsonIn(text);
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, label]) => (typeof label === 'string' ? [[key, label]] : [])),
  );
}

function cacheImages(text: string): string[] {
  const value = jsonIn(text);
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

function jsonIn(text: string): unknown {
  try {
    return text === '' ? undefined : parseJson(text);
  } catch (cause) {
    throw forbidden('a parameter of the build is not JSON', { cause });
  }
}
