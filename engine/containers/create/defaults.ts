import type { HostConfig } from '@cleat/protocol/api/container';
import type { ContainersConfig } from '../../config.js';
import { maskedPaths, readonlyPaths } from '../../oci/paths.js';

/** The host configuration with the engine's defaults filled in, as inspect shows it. */
export function withDefaults(given: HostConfig, config: ContainersConfig): HostConfig {
  const host: HostConfig = { ...given };
  host.NetworkMode = host.NetworkMode || 'default';
  host.ShmSize = host.ShmSize || config.defaultShmSize;
  host.IpcMode = host.IpcMode || config.defaultIpcMode;
  host.CgroupnsMode = host.CgroupnsMode || (host.Privileged ? 'host' : config.defaultCgroupnsMode);
  if ((host.Memory ?? 0) > 0 && !host.MemorySwap) host.MemorySwap = (host.Memory ?? 0) * 2;
  if (host.MemorySwappiness === -1) host.MemorySwappiness = null;
  const policy = host.RestartPolicy;
  host.RestartPolicy = { Name: policy?.Name || 'no', MaximumRetryCount: policy?.MaximumRetryCount ?? 0 };
  host.LogConfig = host.LogConfig?.Type
    ? { Type: host.LogConfig.Type, Config: withLogDefaults(host.LogConfig, config) }
    : { Type: config.logDriver, Config: { ...config.logOpts, ...host.LogConfig?.Config } };
  host.ConsoleSize = host.ConsoleSize ?? [0, 0];
  host.AutoRemove = host.AutoRemove ?? false;
  host.Privileged = host.Privileged ?? false;
  host.ReadonlyRootfs = host.ReadonlyRootfs ?? false;
  host.PublishAllPorts = host.PublishAllPorts ?? false;
  if (host.Init === undefined || host.Init === null) host.Init = config.init ? true : undefined;
  if (!host.Privileged) {
    host.MaskedPaths = host.MaskedPaths ?? maskedPaths;
    host.ReadonlyPaths = host.ReadonlyPaths ?? readonlyPaths;
  }
  // With the host's processes or queues SELinux would be in the way (moby `daemon/create.go`, generateSecurityOpt).
  const options = host.SecurityOpt ?? [];
  const isOpen = host.Privileged || host.IpcMode === 'host' || host.PidMode === 'host';
  if (isOpen && !options.some((option) => option.split('=')[0] === 'label')) {
    host.SecurityOpt = [...options, 'label=disable'];
  }
  if (host.PidsLimit === 0 || (host.PidsLimit ?? 1) < 0) host.PidsLimit = null;
  return host;
}

/** The engine's log options go with the engine's log driver only, but those of the engine's own copy with every one. */
function withLogDefaults(given: { Type?: string; Config?: Record<string, string> | null }, config: ContainersConfig) {
  if (given.Type === config.logDriver) return { ...config.logOpts, ...given.Config };
  const ofCopy = Object.entries(config.logOpts).filter(([name]) => name.startsWith('cache-'));
  return { ...Object.fromEntries(ofCopy), ...given.Config };
}
