import type { Helper } from '@cleat/linux/helper/helper';
import type { IdRange } from '@cleat/linux/process/user-namespace';
import type { ContainersConfig } from '../../config.js';
import type { Sandbox } from '../../networks/service.js';
import { hasAppArmor } from '../../oci/apparmor.js';
import { effectiveCapabilities } from '../../oci/capabilities.js';
import { injectCdiDevices } from '../../oci/cdi/inject.js';
import { checkProcMounts } from '../../oci/proc-mounts.js';
import { remapOf } from '../../oci/remap.js';
import { limits } from '../../oci/resources.js';
import { seccompFor } from '../../oci/seccomp.js';
import type { OciSpec } from '../../oci/types.js';
import type { ContainerRecord } from '../state/record.js';
import { devicesFor } from './devices.js';
import { type MountSources, mountsFor, rootPropagation } from './mounts.js';
import { namespacesFor, type PidOf } from './namespaces.js';
import { asList, processFor } from './process.js';
import { parseSecurityOptions } from './security-options.js';

export interface SpecContext {
  record: ContainerRecord;
  config: ContainersConfig;
  /** The mounted root file system. */
  rootfs: string;
  sandbox: Pick<Sandbox, 'namespace' | 'userNamespace'>;
  sources: MountSources;
  /** Variables about the containers that this one is linked to. */
  links: readonly string[];
  /** Variables that no record has. */
  hidden?: readonly string[];
  cgroupsPath: string;
  pidOf: PidOf;
  helper: Pick<Helper, 'call'>;
}

/**
 * The OCI configuration of one start of a container.
 * @throws CleatError InvalidParameter, Conflict: what cannot be, in Docker's words
 */
export async function specFor(context: SpecContext): Promise<OciSpec> {
  const { record, config, rootfs, sources } = context;
  const { hostConfig } = record;
  const remap = remapOf(config, hostConfig);
  const privileged = hostConfig.Privileged === true;
  const security = parseSecurityOptions(hostConfig.SecurityOpt ?? [], config.noNewPrivileges);
  const capabilities = effectiveCapabilities(privileged, asList(hostConfig.CapAdd), asList(hostConfig.CapDrop));
  const { devices, rules } = devicesFor(hostConfig);
  const apparmorProfile = hasAppArmor() && !privileged ? (security.apparmor ?? '') : '';
  const namespaces = namespacesFor(hostConfig, context.sandbox, context.pidOf, remap !== undefined);
  const mounts = mountsFor({
    hostConfig,
    mounts: record.mounts,
    sources,
    privateCgroupNamespace: hostConfig.CgroupnsMode === 'private',
    writableCgroups: security.writableCgroups,
    isRemapped: remap !== undefined,
  });
  checkProcMounts(mounts, record.runtime, rootfs);
  const ownUts = namespaces.some((namespace) => namespace.type === 'uts');
  const spec: OciSpec = {
    ociVersion: '1.0.2',
    process: processFor(record, rootfs, {
      config,
      security,
      init: sources.init !== undefined,
      apparmorProfile,
      links: context.links,
      hidden: context.hidden ?? [],
    }),
    root: { path: rootfs, readonly: hostConfig.ReadonlyRootfs === true },
    hostname: ownUts ? record.config.Hostname : undefined,
    mounts,
    annotations: hostConfig.Annotations ?? undefined,
    linux: {
      namespaces,
      uidMappings: remap?.users.map(asOci),
      gidMappings: remap?.groups.map(asOci),
      cgroupsPath: context.cgroupsPath,
      resources: { ...limits(hostConfig), devices: rules },
      devices: devices.length > 0 ? devices : undefined,
      sysctl: sysctls(record, ownUts, remap !== undefined),
      // As Docker: a privileged container is unconfined unless a profile is named.
      seccomp:
        privileged && !security.seccomp ? undefined : seccompFor(security.seccomp, config.seccompProfile, capabilities),
      maskedPaths: privileged ? undefined : (hostConfig.MaskedPaths ?? undefined),
      readonlyPaths: privileged ? undefined : (hostConfig.ReadonlyPaths ?? undefined),
      rootfsPropagation: rootPropagation(record.mounts),
    },
  };
  await injectCdiDevices(spec, hostConfig.DeviceRequests ?? [], config.cdiSpecDirs ?? [], context.helper);
  return spec;
}

const asOci = ({ inside, outside, count }: IdRange) => ({ containerID: inside, hostID: outside, size: count });

/** The user's, and Docker's own defaults for a network namespace of the container's own. */
function sysctls(
  { config, hostConfig }: ContainerRecord,
  ownUts: boolean,
  isRemapped: boolean,
): Record<string, string> {
  const result: Record<string, string> = {};
  if (config.Domainname && ownUts) result['kernel.domainname'] = config.Domainname;
  const shared = hostConfig.NetworkMode === 'host' || hostConfig.NetworkMode?.startsWith('container:');
  if (!shared && !config.NetworkDisabled && !hostConfig.Privileged) {
    // Anybody may ping and listen on low ports: the namespace is the container's alone (moby `daemon/oci_linux.go`).
    result['net.ipv4.ip_unprivileged_port_start'] = '0';
    // The kernel takes no groups that a user namespace does not have.
    if (!isRemapped) result['net.ipv4.ping_group_range'] = '0 2147483647';
  }
  return { ...result, ...hostConfig.Sysctls };
}
