import { readdirSync, readFileSync } from 'node:fs';
import type { Extensions } from '@cleat/extensions/service';
import { cgroupInfo } from '@cleat/linux/cgroup/info';
import type { Helper } from '@cleat/linux/helper/helper';
import { findCommand, hostFacts } from '@cleat/linux/host';
import { kinds } from '@cleat/protocol/kinds/index';
import type { BuildCacheRecord, Builds } from '../build/service.js';
import type { EngineConfig } from '../config.js';
import type { ContainerHost, Containers } from '../containers/service.js';
import { environmentProxies, withoutCredentials } from '../distribution/proxy.js';
import type { Events } from '../events/service.js';
import type { ImageHost, Images } from '../images/service.js';
import { cdiDriver } from '../oci/cdi/inject.js';
import { findCdiDevices } from '../oci/cdi/registry.js';
import { goTime, nowNanos, zeroTime } from '../time.js';
import type { VolumeHost, Volumes } from '../volumes/service.js';
import { Components } from './components.js';
import { engineVersion } from './engine-version.js';
import { extensionWarnings } from './extension-warnings.js';
import { registryConfig } from './registries.js';
import type { BuildCacheRow, System, VersionInfo } from './service.js';

export interface SystemDeps {
  config: EngineConfig;
  helper: Pick<Helper, 'call'>;
  containers: Containers & Pick<ContainerHost, 'counts'>;
  images: Images & ImageHost;
  volumes: Volumes & VolumeHost;
  builds: Pick<Builds, 'usage'>;
  events: Events;
  extensions: Extensions;
  /** Faults of this host or configuration, as sentences for `docker info`. */
  warnings?: () => string[];
  /** Names of runtimes that came as plugins. */
  runtimePlugins?: () => string[];
}

/** Lists the configured authorization plugins, as Docker does, and all known plugins of the other kinds. */
function pluginLists(config: EngineConfig, extensions: Extensions): Record<string, string[] | null> {
  return Object.fromEntries(
    kinds.flatMap((kind): [string, string[] | null][] => {
      if (!('infoList' in kind)) return [];
      if (kind.label !== 'authz') return [[kind.infoList, extensions.names(kind)]];
      return [[kind.infoList, config.authorizationPlugins?.length ? [...config.authorizationPlugins] : null]];
    }),
  );
}

/** The engine's facts about itself. Everything but the runtime's version, asked once, comes from memory and /proc. */
export function openSystem(deps: SystemDeps): System {
  const { config, builds, containers, images, volumes, events, extensions } = deps;
  const host = hostFacts();
  const cgroups = cgroupInfo();
  // Asked once, in the background: `info` and `version` must answer even when a runtime hangs.
  const components = new Components(config);

  return {
    async info() {
      const counts = containers.counts();
      const proxies = environmentProxies();
      const cdi = await findCdiDevices(config.cdiSpecDirs ?? [], deps.helper);
      return {
        ID: config.engineId,
        Containers: counts.total,
        ContainersRunning: counts.running,
        ContainersPaused: counts.paused,
        ContainersStopped: counts.stopped,
        Images: images.count(),
        Driver: 'overlay2',
        DriverStatus: [
          ['Backing Filesystem', 'overlayfs'],
          ['Supports d_type', 'true'],
          ['Native Overlay Diff', 'true'],
        ],
        Plugins: pluginLists(config, extensions),
        MemoryLimit: cgroups.memoryLimit,
        SwapLimit: cgroups.swapLimit,
        CpuCfsPeriod: cgroups.cpuCfsPeriod,
        CpuCfsQuota: cgroups.cpuCfsQuota,
        CPUShares: cgroups.cpuShares,
        CPUSet: cgroups.cpuSet,
        PidsLimit: cgroups.pidsLimit,
        IPv4Forwarding: readSwitch('/proc/sys/net/ipv4/ip_forward'),
        BridgeNfIptables: readSwitch('/proc/sys/net/bridge/bridge-nf-call-iptables'),
        BridgeNfIp6tables: readSwitch('/proc/sys/net/bridge/bridge-nf-call-ip6tables'),
        Debug: config.debug,
        NFd: readdirSync('/proc/self/fd').length,
        OomKillDisable: cgroups.oomKillDisable,
        NGoroutines: process.getActiveResourcesInfo().length,
        SystemTime: goTime(nowNanos()),
        LoggingDriver: config.logDriver,
        CgroupDriver: config.cgroupDriver,
        CgroupVersion: String(cgroups.version),
        NEventsListener: events.stats().subscribers,
        KernelVersion: host.kernelVersion,
        OperatingSystem: host.operatingSystem,
        OSVersion: host.osVersion,
        OSType: 'linux',
        Architecture: host.architecture,
        IndexServerAddress: 'https://index.docker.io/v1/',
        RegistryConfig: registryConfig(config),
        NCPU: host.cpus,
        MemTotal: host.memory,
        GenericResources: null,
        DockerRootDir: config.dataRoot,
        HttpProxy: withoutCredentials(proxies.http),
        HttpsProxy: withoutCredentials(proxies.https),
        NoProxy: proxies.no,
        Name: config.name,
        Labels: [...config.labels],
        ExperimentalBuild: false,
        ServerVersion: engineVersion,
        Runtimes: Object.fromEntries([
          ...Object.entries(config.runtimes)
            // Known as it is wherever it is installed, but only there.
            .filter(([name, { path }]) => name !== 'crun' || findCommand(path) !== undefined)
            .map(([name, { path, runtimeArgs }]) => [
              name,
              { path, ...(runtimeArgs && runtimeArgs.length > 0 && { runtimeArgs }) },
            ]),
          ...(deps.runtimePlugins?.() ?? []).map((name) => [name, { path: name }]),
        ]),
        DefaultRuntime: config.defaultRuntime,
        Swarm: {
          NodeID: '',
          NodeAddr: '',
          LocalNodeState: 'inactive',
          ControlAvailable: false,
          Error: '',
          RemoteManagers: null,
        },
        LiveRestoreEnabled: config.liveRestore,
        Isolation: '',
        InitBinary: config.initPath ? 'docker-init' : '',
        // Clients print these; containers here are watched by conmon, not by containerd.
        ContainerdCommit: { ID: '' },
        RuncCommit: { ID: components.runtime().commit },
        InitCommit: { ID: '' },
        SecurityOptions: securityOptions(config, host, cgroups.version),
        DefaultAddressPools: config.defaultAddressPools.map(({ base, size }) => ({ Base: base, Size: size })),
        FirewallBackend: { Driver: 'nftables' },
        CDISpecDirs: [...(config.cdiSpecDirs ?? [])],
        DiscoveredDevices: [...cdi.devices.keys()].sort().map((ID) => ({ Source: cdiDriver, ID })),
        Warnings: [
          ...missingLimits(cgroups),
          ...cdi.problems,
          ...extensionWarnings(extensions.list()),
          ...(deps.warnings?.() ?? []),
        ],
      };
    },

    version(): VersionInfo {
      return {
        Platform: { Name: 'Cleat' },
        Components: [
          {
            Name: 'Engine',
            Version: engineVersion,
            Details: {
              Arch: host.goArchitecture,
              BuildTime: '',
              Experimental: 'false',
              GitCommit: '',
              GoVersion: '',
              KernelVersion: host.kernelVersion,
              NodeVersion: process.version,
              Os: 'linux',
            },
          },
          ...components.list(),
        ],
        Version: engineVersion,
        GitCommit: '',
        Os: 'linux',
        Arch: host.goArchitecture,
        KernelVersion: host.kernelVersion,
        BuildTime: '',
        Experimental: false,
      };
    },

    async diskUsage(types) {
      const wants = (type: string): boolean => types.length === 0 || types.includes(type);
      const [imageUsage, rows, volumeUsage, cache] = await Promise.all([
        wants('image') ? images.diskUsage() : undefined,
        wants('container') ? containers.list({ all: true, size: true, filters: {} }) : undefined,
        wants('volume') ? volumes.diskUsage() : undefined,
        wants('build-cache') ? builds.usage() : undefined,
      ]);
      return {
        ...(imageUsage && { LayersSize: imageUsage.layersSize, Images: imageUsage.images }),
        ...(rows && { Containers: rows }),
        ...(volumeUsage && { Volumes: volumeUsage }),
        ...(cache && { BuildCache: cache.map(cacheRow) }),
      };
    },
  };
}

function cacheRow({ Image: _, ...record }: BuildCacheRecord): BuildCacheRow {
  return {
    ...record,
    Type: record.Type ?? 'regular',
    Description: record.Description ?? '',
    InUse: record.InUse ?? false,
    Shared: record.Shared ?? false,
    Size: record.Size ?? 0,
    CreatedAt: record.CreatedAt ?? zeroTime,
    LastUsedAt: record.LastUsedAt ?? null,
    UsageCount: record.UsageCount ?? 0,
  };
}

function readSwitch(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').trim() === '1';
  } catch {
    // The kernel lacks the feature.
    return false;
  }
}

function securityOptions(config: EngineConfig, host: ReturnType<typeof hostFacts>, cgroupVersion: 1 | 2): string[] {
  const options: string[] = [];
  if (host.security.apparmor) options.push('name=apparmor');
  if (host.security.seccomp) options.push(`name=seccomp,profile=${config.seccompProfile ?? 'builtin'}`);
  if (config.noNewPrivileges) options.push('name=no-new-privileges');
  if (config.remap) options.push('name=userns');
  if (cgroupVersion === 2 || config.defaultCgroupnsMode === 'private') options.push('name=cgroupns');
  return options;
}

/** Docker's warnings about limits that this kernel cannot hold (moby `daemon/info_unix.go`). */
function missingLimits(cgroups: ReturnType<typeof cgroupInfo>): string[] {
  const warnings: string[] = [];
  if (!cgroups.memoryLimit) warnings.push('WARNING: No memory limit support');
  if (!cgroups.swapLimit) warnings.push('WARNING: No swap limit support');
  if (!cgroups.oomKillDisable && cgroups.version === 1) warnings.push('WARNING: No oom kill disable support');
  if (!cgroups.cpuCfsQuota) warnings.push('WARNING: No cpu cfs quota support');
  if (!cgroups.cpuCfsPeriod) warnings.push('WARNING: No cpu cfs period support');
  if (!cgroups.cpuShares) warnings.push('WARNING: No cpu shares support');
  if (!cgroups.cpuSet) warnings.push('WARNING: No cpuset support');
  if (!readSwitch('/proc/sys/net/ipv4/ip_forward')) warnings.push('WARNING: IPv4 forwarding is disabled');
  return warnings;
}
