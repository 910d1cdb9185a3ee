import { posix } from 'node:path';
import type { solveRequest } from '@cleat/protocol/buildkit/control';
import { invalidParameter } from '@cleat/protocol/errors';
import type { MessageOf } from '@cleat/protocol/grpc/message';
import type { BuildRequest } from '@cleat/protocol/kinds/builder';

export type SolveRequest = Partial<MessageOf<typeof solveRequest>>;

/** Names of the directories that the build's session serves. */
export const directories = { context: 'context', dockerfile: 'dockerfile', named: (name: string) => `context:${name}` };

/** Name of the Dockerfile within its directory, and in messages. */
export function dockerfileName(order: BuildRequest): string {
  return posix.basename(order.DockerfileName ?? order.Dockerfile) || 'Dockerfile';
}

/**
 * An order in the words of BuildKit (`frontend/dockerui/config.go`): each option is in it, or refused. The result is sent
 * as an archive to the session.
 * @throws InvalidParameter
 */
export function solveRequestOf(order: BuildRequest): SolveRequest {
  refuse(order);
  const { Target, Platform, BuildArgs = {}, Labels = {}, Contexts = {}, Network, ShmSize, CgroupParent } = order;
  const attributes = new Map<string, string>([['filename', dockerfileName(order)]]);
  const set = (name: string, value: string | number | undefined): void => {
    if (value) attributes.set(name, `${value}`);
  };
  for (const [name, value] of Object.entries(BuildArgs)) attributes.set(`build-arg:${name}`, value);
  for (const [name, value] of Object.entries(Labels)) attributes.set(`label:${name}`, value);
  for (const [name, { Image }] of Object.entries(Contexts)) {
    attributes.set(`context:${name}`, Image ? `docker-image://${Image}` : `local:${directories.named(name)}`);
  }
  set('target', Target);
  set('platform', Platform);
  // Empty: all stages.
  if (order.NoCache) attributes.set('no-cache', '');
  else set('no-cache', order.NoCacheFilter?.join(','));
  if (order.Pull) set('image-resolve-mode', 'pull');
  const imports = (order.CacheFrom ?? []).map((ref) => ({ Type: 'registry', Attrs: { ref } }));
  if (imports.length > 0) set('cache-imports', JSON.stringify(imports));
  if (Network !== 'default') set('force-network-mode', Network);
  set('add-hosts', order.ExtraHosts?.map((entry) => entry.replace(':', '=')).join(','));
  set('shm-size', ShmSize);
  set('ulimit', order.Ulimits?.map(({ Name, Soft = 0, Hard = Soft }) => `${Name}=${Soft}:${Hard}`).join(','));
  set('cgroup-parent', CgroupParent);
  const archive = { Type: 'oci', Attrs: new Map([['compression', 'uncompressed']]) };
  return {
    Frontend: 'dockerfile.v0',
    FrontendAttrs: attributes,
    Entitlements: [...new Set([...(order.Allow ?? []), ...(Network === 'host' ? ['network.host'] : [])])],
    Exporters: [archive],
    // For a BuildKit before 0.13.
    ExporterDeprecated: archive.Type,
    ExporterAttrsDeprecated: archive.Attrs,
    Cache: { Exports: (order.CacheTo ?? []).map(() => ({ Type: 'inline' })) },
  };
}

function refuse(order: BuildRequest): void {
  const no = (what: string): never => {
    throw invalidParameter(
      `the builder buildkit has no ${what}: leave it out, or build with another (--builder-driver)`,
    );
  };
  const { Memory, MemorySwap, CpuShares, CpuPeriod, CpuQuota, CpuSetCpus, CpuSetMems, Network = '' } = order;
  // buildkitd would ignore them.
  if (Memory || MemorySwap) no('limit of memory (--memory)');
  if (CpuShares || CpuPeriod || CpuQuota || CpuSetCpus || CpuSetMems) no('limit of processors (--cpu-…)');
  if (order.SecurityOpt?.length) no('security options (--security-opt)');
  if (order.CacheFrom?.some((one) => one.includes('='))) no('local cache (--cache-from type=local) at this door');
  if (order.CacheTo?.some((one) => one !== 'type=inline')) no('cache that it exports (--cache-to) at this door');
  if (!['', 'default', 'none', 'host'].includes(Network)) no(`way into the network "${Network}"`);
  for (const { Image } of Object.values(order.Contexts ?? {})) {
    if (Image?.startsWith('sha256:')) no('way to an image that has no name');
  }
}
