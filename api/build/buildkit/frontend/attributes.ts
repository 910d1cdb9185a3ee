import type { BuildOrder } from '@cleat/engine/build/service';
import { invalidParameter, notImplemented } from '@cleat/protocol/errors';

export type Attributes = ReadonlyMap<string, string>;

/** The settings in the attributes of the front end `dockerfile.v0`, without the files. */
export type Settings = Omit<BuildOrder, 'Context' | 'Dockerfile' | 'tags'>;

/** A further context: `--build-context NAME=…`. */
export interface NamedSource {
  readonly name: string;
  readonly kind: 'local' | 'image' | 'remote' | 'input';
  readonly value: string;
}

/** Reads BuildKit's attributes (moby/buildkit `frontend/dockerui/config.go`). @throws InvalidParameter, NotImplemented */
export function settingsOf(attributes: Attributes, entitlements: readonly string[]): Settings {
  const get = (name: string): string | undefined => attributes.get(name) || undefined;
  refuseAttestations(attributes);
  if (get('hostname')) refuse('a host name for RUN', 'leave it out');
  if (get('device')) refuse('--device', 'leave it out');
  const platforms = get('platform')?.split(',') ?? [];
  if (platforms.length > 1) refuse('several platforms at once', 'build one at a time with --platform');
  const noCache = attributes.get('no-cache');
  const mode = get('image-resolve-mode');
  const numbers = {
    Memory: 'memory',
    MemorySwap: 'memswap',
    CpuShares: 'cpushares',
    CpuPeriod: 'cpuperiod',
    CpuQuota: 'cpuquota',
    ShmSize: 'shm-size',
  };
  const limits = Object.entries(numbers).flatMap(([field, name]) => {
    const value = get(name);
    return value === undefined ? [] : [[field, integer(name, value)]];
  });
  return {
    DockerfileName: get('filename') ?? 'Dockerfile',
    Target: get('target'),
    Platform: platforms[0],
    BuildArgs: withPrefix(attributes, 'build-arg:'),
    Labels: withPrefix(attributes, 'label:'),
    NoCache: noCache === '',
    NoCacheFilter: noCache ? noCache.split(',') : undefined,
    Pull: mode === 'pull' || mode === 'forcepull' ? true : undefined,
    CacheFrom: cacheSources(attributes),
    Network: get('force-network-mode'),
    ExtraHosts: get('add-hosts')?.split(',').map(extraHost),
    Ulimits: get('ulimit')?.split(',').map(ulimit),
    CgroupParent: get('cgroup-parent'),
    CpuSetCpus: get('cpusetcpus'),
    CpuSetMems: get('cpusetmems'),
    Allow: entitlements.length > 0 ? entitlements.map(entitlement) : undefined,
    ...Object.fromEntries(limits),
  };
}

/**
 * Attestations lie beside an image in an index, which this engine does not make: an image is one manifest here, as in a
 * stock engine with graph drivers. What asks for none, or for one only where there is a place for it, is no matter.
 */
function refuseAttestations(attributes: Attributes): void {
  for (const [name, value] of attributes) {
    const [, type = ''] = /^(?:attest:|build-arg:BUILDKIT_ATTEST_)(.*)$/i.exec(name) ?? [];
    if (type === '') continue;
    if (!['sbom', 'provenance'].includes(type.toLowerCase())) {
      throw invalidParameter(`unknown attestation type ${JSON.stringify(type.toLowerCase())}`);
    }
    if (/(^|,)(disabled|inline-only)=(true|1)(,|$)/.test(value) || /^(false|0)$/.test(value)) continue;
    refuse('attestations', 'build without --attest, --sbom and --provenance');
  }
}

/** @throws InvalidParameter, NotImplemented */
export function namedSources(attributes: Attributes): NamedSource[] {
  return Object.entries(withPrefix(attributes, 'context:')).map(([name, value]) => {
    const [scheme = '', ...rest] = value.split(':');
    const after = rest.join(':');
    if (scheme === 'docker-image') return { name, kind: 'image', value: after.replace(/^\/\//, '') };
    if (scheme === 'local' || scheme === 'input') return { name, kind: scheme, value: after };
    if (scheme === 'oci-layout') {
      refuse('a context from an OCI layout', 'load it as an image (docker load) and name it with docker-image://');
    }
    if (['http', 'https', 'git', 'ssh'].includes(scheme) || scheme.startsWith('git@')) {
      return { name, kind: 'remote', value };
    }
    throw invalidParameter(`unsupported context source ${scheme} for ${name}`);
  });
}

/** One entry of `Cache` in a call of `Solve`. */
export interface CacheEntry {
  readonly Type?: string;
  readonly Attrs?: ReadonlyMap<string, string>;
}

/** As `CacheTo` of the contract has it; the engine says what it does not do. */
export function cacheTargets(entries: readonly CacheEntry[]): string[] {
  return entries.map(({ Type = '', Attrs = new Map<string, string>() }) => cacheText(Type, Attrs));
}

/** Caches that may be used, as `CacheFrom` of the contract has them. */
function cacheSources(attributes: Attributes): string[] | undefined {
  const listed = attributes.get('cache-from')?.split(',').filter(Boolean) ?? [];
  let entries: { Type?: string; Attrs?: Record<string, string> }[] = [];
  try {
    const parsed: unknown = JSON.parse(attributes.get('cache-imports') || '[]');
    if (Array.isArray(parsed)) entries = parsed as typeof entries;
  } catch (cause) {
    throw invalidParameter('failed to unmarshal cache-imports', { cause });
  }
  const sources = [...listed, ...entries.map(({ Type = '', Attrs = {} }) => cacheText(Type, Object.entries(Attrs)))];
  return sources.length > 0 ? [...new Set(sources)] : undefined;
}

/** `type=registry,ref=…`, with a field in quotes where it holds a comma. */
function cacheText(type: string, attributes: Iterable<readonly [string, string]>): string {
  const fields = [`type=${type}`, ...[...attributes].map(([name, value]) => `${name}=${value}`)];
  return fields.map((field) => (/[",]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',');
}

function withPrefix(attributes: Attributes, prefix: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of attributes) if (name.startsWith(prefix)) found[name.slice(prefix.length)] = value;
  return found;
}

/** BuildKit writes `name=address`, the engine `name:address`. */
function extraHost(entry: string): string {
  const at = entry.indexOf('=');
  return at < 0 ? entry : `${entry.slice(0, at)}:${entry.slice(at + 1)}`;
}

function ulimit(entry: string): { Name: string; Soft: number; Hard: number } {
  const [, name, soft, hard] = /^(\w+)=(-?\d+)(?::(-?\d+))?$/.exec(entry) ?? [];
  if (name === undefined) throw invalidParameter(`failed to parse ulimit: ${entry}`);
  return { Name: name, Soft: Number(soft), Hard: Number(hard ?? soft) };
}

function entitlement(name: string): string {
  if (name === 'network.host' || name === 'security.insecure') return name;
  throw invalidParameter(`entitlement ${name} is not known here: allow network.host or security.insecure`);
}

function integer(name: string, value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw invalidParameter(`failed to parse ${name}: ${value}`);
  return number;
}

function refuse(what: string, advice: string): never {
  throw notImplemented(
    `this engine's builder does not do ${what}: ${advice}, or use a builder of its own (docker buildx create)`,
  );
}
