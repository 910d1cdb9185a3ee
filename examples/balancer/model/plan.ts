import type { Wish } from '../labels/wish.js';
import type { Address, Model, PassedSite, Pool, Route, Site } from './model.js';

/** A container whose labels make sense, and what is known of it. */
export interface Candidate {
  readonly id: string;
  readonly name: string;
  /** When it was made; who came first decides where two differ. */
  readonly created: string;
  readonly wish: Wish;
  /** Where it is to be reached; undefined: it is not in service now. */
  readonly address: Address | undefined;
  /** It is about to go: it serves only where nobody else does. */
  readonly leaving: boolean;
}

/** A container that is not served, or not as it asks. */
export interface Problem {
  readonly id: string;
  readonly name: string;
  readonly text: string;
}

export interface Plan {
  readonly model: Model;
  readonly problems: readonly Problem[];
}

/** Finds the certificate of a host: the path of a file with it and its key, or what is wrong. */
export type FindCertificate = (host: string, wish: Wish) => { readonly path: string } | { readonly fault: string };

/** Says why a proxy cannot serve what a container asks for; undefined: it can. */
export type Refusal = (wish: Wish) => string | undefined;

interface Group<T> {
  /** The container that came first. */
  readonly first: Candidate;
  readonly members: Candidate[];
  readonly more: T;
}

type PathGroup = Group<{ readonly path: string }>;
type HostGroup = Group<{ readonly certificate: string | undefined; readonly paths: Map<string, PathGroup> }>;

/**
 * Puts the wishes of all containers together. Containers with the same host and path share its requests. Where two of
 * them differ in what must be the same, the one that was made first is served, and the other one is named as a problem:
 * no container can change how another one is served.
 */
export function plan(candidates: readonly Candidate[], certificate: FindCertificate, refusal: Refusal): Plan {
  const problems: Problem[] = [];
  const hosts = new Map<string, HostGroup>();
  const inOrder = candidates.toSorted((a, b) => compare(a.created, b.created) || compare(a.id, b.id));
  for (const candidate of inOrder) {
    const { id, name, wish } = candidate;
    const note = (text: string) => problems.push({ id, name, text });
    const refused = refusal(wish);
    if (refused !== undefined) {
      note(refused);
      continue;
    }
    for (const host of wish.hosts.length > 0 ? wish.hosts : ['']) {
      const fault = join(hosts, host, candidate, certificate);
      if (fault !== undefined) note(fault);
    }
  }
  return { model: modelOf(hosts), problems };
}

/** @returns why the candidate does not serve this host */
function join(
  hosts: Map<string, HostGroup>,
  host: string,
  candidate: Candidate,
  certificate: FindCertificate,
): string | undefined {
  const { wish } = candidate;
  const found = hosts.get(host);
  const difference = found && differs(siteFacts(found.first.wish), siteFacts(wish));
  if (found && difference) return conflict(host, found.first, difference);
  const group = found ?? newHost(host, candidate, certificate);
  if (typeof group === 'string') return group;
  const path = group.more.paths.get(wish.path);
  const otherwise = path && differs(poolFacts(path.first.wish), poolFacts(wish));
  if (path && otherwise) return conflict(`${host}${wish.path}`, path.first, otherwise);
  hosts.set(host, group);
  if (path) path.members.push(candidate);
  else group.more.paths.set(wish.path, { first: candidate, members: [candidate], more: { path: wish.path } });
  return undefined;
}

function newHost(host: string, first: Candidate, certificate: FindCertificate): HostGroup | string {
  const group = (path: string | undefined): HostGroup => ({
    first,
    members: [],
    more: { certificate: path, paths: new Map() },
  });
  if (first.wish.tls.mode !== 'terminated') return group(undefined);
  const found = certificate(host, first.wish);
  return 'fault' in found ? found.fault : group(found.path);
}

type Facts = Readonly<Record<string, string>>;

/** The facts that all containers of one host must agree in, by the label that says it. */
const siteFacts = ({ tls }: Wish): Facts => ({
  ssl: tls.mode,
  ssl_only: String(tls.only),
  ssl_cert: tls.certificate ?? '',
  ssl_cert_key: tls.key ?? '',
});

/** The facts that all containers of one host and path must agree in. */
const poolFacts = ({ rewrite, toBackend, spread, check }: Wish): Facts => ({
  context_root_rewrite: String(rewrite),
  ssl_backend: String(toBackend.tls),
  ssl_backend_tls_verify: String(toBackend.verify),
  balance_algorithm: spread.algorithm,
  ip_hash: String(spread.ipHash),
  backend_option: spread.options.join(', '),
  health_check: check.path ?? '',
  health_check_interval: String(check.intervalMs),
});

interface Difference {
  readonly label: string;
  readonly theirs: string;
  readonly ours: string;
}

function differs(theirs: Facts, ours: Facts): Difference | undefined {
  const label = Object.keys(theirs).find((key) => theirs[key] !== ours[key]);
  return label === undefined ? undefined : { label, theirs: theirs[label] ?? '', ours: ours[label] ?? '' };
}

function conflict(where: string, first: Candidate, { label, theirs, ours }: Difference): string {
  return (
    `${where || 'any host'}: its ${label} is '${ours}', but '${theirs}' with container ${first.name}, ` +
    'which was made before it and is served'
  );
}

function modelOf(hosts: ReadonlyMap<string, HostGroup>): Model {
  const sites: Site[] = [];
  const passed: PassedSite[] = [];
  for (const host of [...hosts.keys()].sort(byHost)) {
    const group = hosts.get(host);
    if (group === undefined) continue;
    const { certificate, paths } = group.more;
    const whole = paths.get('');
    if (group.first.wish.tls.mode === 'passed') {
      if (whole) passed.push({ host, pool: poolOf(whole) });
      continue;
    }
    const tls = certificate === undefined ? undefined : { certificate, only: group.first.wish.tls.only };
    const routes = [...paths.values()].map(routeOf).sort((a, b) => byLength(a.path, b.path));
    sites.push({ host, tls, routes });
  }
  return { sites, passed };
}

function routeOf(group: PathGroup): Route {
  const { path } = group.more;
  const websockets = new Set(group.members.flatMap(({ wish }) => wish.websockets));
  return {
    path,
    rewrite: group.first.wish.rewrite,
    websockets: [...websockets].sort(byLength),
    pool: poolOf(group),
  };
}

function poolOf({ first, members }: PathGroup): Pool {
  const { spread, toBackend, check } = first.wish;
  const reachable = members.flatMap(({ id, address, leaving }) => (address ? [{ id, address, leaving }] : []));
  const staying = reachable.filter(({ leaving }) => !leaving);
  const servers = (staying.length > 0 ? staying : reachable).map(({ id, address }) => ({ id, address }));
  return { spread, toBackend, check, servers: servers.sort((a, b) => compare(a.id, b.id)) };
}

/** Exact names, then wildcards with the longest first, then any name. */
function byHost(a: string, b: string): number {
  return rank(a) - rank(b) || (rank(a) === 1 ? b.length - a.length : 0) || compare(a, b);
}

const rank = (host: string): number => (host === '' ? 2 : host.startsWith('*.') ? 1 : 0);
const byLength = (a: string, b: string): number => b.length - a.length || compare(a, b);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
