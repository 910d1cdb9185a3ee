import { invalidParameter } from '@cleat/protocol/errors';
import type { BuildRequest } from '@cleat/protocol/kinds/builder';

/** Paths that a build brings with it. */
export interface Places {
  /** `--iidfile` */
  readonly idFile: string;
  /** `--authfile` */
  readonly authFile: string;
}

/**
 * An order as options of `buildah build`: each is in it, or refused.
 * @throws InvalidParameter
 */
export function buildFlags(order: BuildRequest, { idFile, authFile }: Places): string[] {
  refuse(order);
  const with_ = <T>(flag: string, value: T | undefined, text: (value: T) => string = String): string[] =>
    value === undefined || value === '' ? [] : [`--${flag}=${text(value)}`];
  const each = (flag: string, values: readonly string[] | undefined): string[] =>
    (values ?? []).map((value) => `--${flag}=${value}`);
  const pairs = (flag: string, map: Readonly<Record<string, string>> | undefined): string[] =>
    Object.entries(map ?? {}).map(([name, value]) => `--${flag}=${name}=${value}`);
  const contexts = Object.entries(order.Contexts ?? {}).map(
    ([name, { Directory, Image }]) => `--build-context=${name}=${Image ? `docker-image://${Image}` : Directory}`,
  );
  return [
    ...['--layers', '--isolation=oci', '--force-rm', `--iidfile=${idFile}`, `--authfile=${authFile}`],
    ...with_('file', order.Dockerfile),
    // The engine has left out what `.dockerignore` says.
    '--ignorefile=/dev/null',
    ...contexts,
    ...with_('target', order.Target),
    ...with_('platform', order.Platform),
    ...pairs('build-arg', order.BuildArgs),
    ...with_('timestamp', order.BuildArgs?.SOURCE_DATE_EPOCH),
    ...pairs('label', order.Labels),
    ...(order.NoCache ? ['--no-cache'] : []),
    order.Pull ? '--pull-always' : '--pull',
    ...with_('network', order.Network),
    ...each('add-host', order.ExtraHosts),
    ...with_('shm-size', order.ShmSize || undefined, (bytes) => `${bytes}b`),
    ...each(
      'ulimit',
      order.Ulimits?.map(({ Name, Soft = 0, Hard = Soft }) => `${Name}=${Soft}:${Hard}`),
    ),
    ...with_('cgroup-parent', order.CgroupParent),
    ...with_('memory', order.Memory || undefined, (bytes) => `${bytes}b`),
    ...with_('memory-swap', order.MemorySwap || undefined, (bytes) => (bytes < 0 ? '-1' : `${bytes}b`)),
    ...with_('cpu-shares', order.CpuShares || undefined),
    ...with_('cpu-period', order.CpuPeriod || undefined),
    ...with_('cpu-quota', order.CpuQuota || undefined),
    ...with_('cpuset-cpus', order.CpuSetCpus),
    ...with_('cpuset-mems', order.CpuSetMems),
    ...each('security-opt', order.SecurityOpt),
    ...each(
      'secret',
      order.Secrets?.map(({ ID, File }) => `id=${ID},src=${File}`),
    ),
    ...each(
      'ssh',
      order.SSH?.map(({ ID, Socket }) => `${ID}=${Socket}`),
    ),
    ...each(
      'cache-from',
      order.CacheFrom?.map((text) => cacheRepository(text, 'read')),
    ),
    ...each(
      'cache-to',
      order.CacheTo?.map((text) => cacheRepository(text, 'written')),
    ),
    '--',
    order.Context,
  ];
}

/** The repository of a cache: buildah keeps all layers there, under tags of its own. */
function cacheRepository(text: string, verb: 'read' | 'written'): string {
  const no = (why: string): Error =>
    invalidParameter(`the cache ${text} is not ${verb} by the builder buildah: ${why}`);
  const attributes = new Map(
    text.includes('=')
      ? text.split(',').map((part): [string, string] => [part.replace(/=.*/s, ''), part.replace(/^[^=]*=/, '')])
      : [['ref', text]],
  );
  const { type = 'registry', ref = '', mode = 'max', ...others } = Object.fromEntries(attributes);
  if (type !== 'registry') throw no('it has caches in registries only (type=registry,ref=NAME)');
  if (mode !== 'max') throw no('it keeps all layers: mode=max');
  const [other] = Object.keys(others);
  if (other !== undefined) throw no(`it has no option ${other}`);
  if (/[:@][^/]*$/.test(ref)) throw no('it names layers by tags of its own: leave the tag out');
  return ref;
}

function refuse({ NoCacheFilter, Network = '', KeepContainers, Allow }: BuildRequest): void {
  const no = (what: string): never => {
    throw invalidParameter(`the builder buildah has no ${what}: build with another (--builder-driver)`);
  };
  if (NoCacheFilter?.length) no('cache that is left out for some stages only (--no-cache-filter)');
  if (KeepContainers) no('containers that stay (--rm=false)');
  if (Allow?.includes('security.insecure')) no('privileged RUN (--allow security.insecure)');
  if (!['', 'default', 'none', 'host'].includes(Network)) no(`way into the network "${Network}": default, none, host`);
}
