import type { HostConfig } from '@cleat/protocol/api/container';
import type { Demand, Setting } from '../demand.js';
import { setting } from './words.js';

/** Demands of a `HostConfig`, or an update, beyond a container's own walls, other than mounts and containers. */
export function privilegeDemands(host: HostConfig): Demand[] {
  const each = (name: Setting, values: readonly string[] | null | undefined) =>
    (values ?? []).map((value) => setting(name, value));
  const pairs = (name: Setting, values: Readonly<Record<string, string>> | null | undefined) =>
    each(
      name,
      Object.entries(values ?? {}).map(([key, value]) => `${key}=${value}`),
    );
  const { Sysctls, SecurityOpt, CgroupParent, Runtime, GroupAdd, Annotations, LogConfig, StorageOpt } = host;
  return [
    ...(host.Privileged ? [setting('privileged', 'container')] : []),
    ...each('capabilities', [...list(host.CapAdd), ...(host.Capabilities ?? [])].map(capability)),
    ...each('devices', devices(host)),
    ...each('namespaces', hostNamespaces(host)),
    ...each('security-options', (SecurityOpt ?? []).map(securityOption)),
    // An empty list masks nothing; none at all masks as usual.
    ...(host.MaskedPaths ? [setting('unmasked', 'masked')] : []),
    ...(host.ReadonlyPaths ? [setting('unmasked', 'readonly')] : []),
    ...(CgroupParent ? [setting('cgroup-parents', CgroupParent)] : []),
    ...pairs('sysctls', Sysctls),
    ...(Runtime ? [setting('runtimes', Runtime)] : []),
    ...each('groups', GroupAdd),
    ...pairs('annotations', Annotations),
    ...pairs('storage-options', StorageOpt),
    ...(LogConfig?.Type ? [setting('log-drivers', LogConfig.Type)] : []),
    ...(host.CpuRealtimePeriod || host.CpuRealtimeRuntime ? [setting('kernel-scheduling', 'realtime')] : []),
    ...(host.OomKillDisable || (host.OomScoreAdj ?? 0) < 0 ? [setting('kernel-scheduling', 'oom')] : []),
    ...ports(host),
  ];
}

function list(value: string | readonly string[] | null | undefined): readonly string[] {
  if (typeof value === 'string') return [value];
  return value ?? [];
}

/** `cap_net_admin` → `NET_ADMIN`. */
function capability(text: string): string {
  return text.trim().toUpperCase().replace(/^CAP_/, '');
}

/** `seccomp:unconfined` of old clients → `seccomp=unconfined`; a profile as a whole is told as such. */
function securityOption(text: string): string {
  const [, key = text, value] = /^([\w-]+)[=:](.*)$/s.exec(text) ?? [];
  if (value === undefined) return key;
  return `${key}=${value.trimStart().startsWith('{') ? 'profile' : value}`;
}

function devices({ Devices, DeviceRequests, DeviceCgroupRules }: HostConfig): string[] {
  return [
    ...(Devices ?? []).map(({ PathOnHost }) => PathOnHost ?? ''),
    ...(DeviceRequests ?? []).flatMap(({ Driver, DeviceIDs }) =>
      (DeviceIDs?.length ? DeviceIDs : ['*']).map((id) => `request:${Driver ?? ''}:${id}`),
    ),
    ...(DeviceCgroupRules ?? []).map((rule) => `rule:${rule}`),
  ];
}

function hostNamespaces(host: HostConfig): string[] {
  const modes = {
    pid: host.PidMode,
    ipc: host.IpcMode,
    network: host.NetworkMode,
    uts: host.UTSMode,
    user: host.UsernsMode,
    cgroup: host.CgroupnsMode,
  };
  return Object.entries(modes).flatMap(([name, mode]) => (mode?.trim() === 'host' ? [name] : []));
}

/** `127.0.0.1:8080/tcp`; without a port the engine chooses one. */
function ports({ PortBindings, PublishAllPorts }: HostConfig): Demand[] {
  const bound = Object.entries(PortBindings ?? {}).flatMap(([port, bindings]) => {
    const protocol = port.split('/')[1] ?? 'tcp';
    return (bindings?.length ? bindings : [{ HostIp: '', HostPort: '' }]).map(({ HostIp, HostPort }) =>
      setting('ports', `${HostIp ?? ''}:${HostPort || '*'}/${protocol}`),
    );
  });
  return [...bound, ...(PublishAllPorts ? [setting('ports', ':*/all')] : [])];
}
