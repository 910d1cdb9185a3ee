import type { SandboxRequest } from '../../networks/service.js';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';

/** The facts about a container for the networks room. */
export function sandboxRequest(context: Pick<Context, 'paths'>, container: Container): SandboxRequest {
  const { id, name, config, hostConfig, endpoints } = container.record;
  return {
    containerId: id,
    containerName: name,
    hostname: config.Hostname ?? '',
    domainname: config.Domainname ?? '',
    networkMode: config.NetworkDisabled ? 'none' : hostConfig.NetworkMode || 'default',
    endpoints,
    exposedPorts: [
      ...new Set([...Object.keys(config.ExposedPorts ?? {}), ...Object.keys(hostConfig.PortBindings ?? {})]),
    ],
    portBindings: hostConfig.PortBindings ?? {},
    publishAllPorts: hostConfig.PublishAllPorts === true,
    dns: hostConfig.Dns ?? [],
    dnsSearch: hostConfig.DnsSearch ?? [],
    dnsOptions: hostConfig.DnsOptions ?? [],
    extraHosts: hostConfig.ExtraHosts ?? [],
    links: container.record.links ?? [],
    sysctls: hostConfig.Sysctls ?? {},
    directory: context.paths.directory(id),
    labels: config.Labels ?? {},
  };
}
