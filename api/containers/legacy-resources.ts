import type { ContainerCreateRequest, HostConfig } from '@cleat/protocol/api/container';

/** Before there was a HostConfig with create (and, for volume drivers, until 1.20) these were the container's own. */
export function moveLegacyResources(request: ContainerCreateRequest, host: HostConfig): void {
  host.VolumeDriver ||= request.VolumeDriver;
  host.Memory ||= request.Memory;
  host.MemorySwap ||= request.MemorySwap;
  host.CpuShares ||= request.CpuShares;
  host.CpusetCpus ||= request.CpusetCpus;
  for (const key of ['VolumeDriver', 'Memory', 'MemorySwap', 'CpuShares', 'CpusetCpus'] as const) {
    delete request[key];
    if (host[key] === undefined) delete host[key];
  }
}
