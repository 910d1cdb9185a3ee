import { isBody, member } from './body.js';

const any = () => true;
const oneOf =
  (...values: string[]) =>
  (value: unknown) =>
    typeof value === 'string' && values.includes(value);
const own = oneOf('private', 'shareable', 'none');

/**
 * Options with which a container stays within its walls. All else of `HostConfig` is a way out of them (host paths,
 * privileges, devices, namespaces of others), or may be one in an engine that is newer than this list. Named volumes
 * are not in it: they carry no team.
 */
const harmless = new Map<string, (value: unknown) => boolean>(
  Object.entries({
    AutoRemove: any,
    CapDrop: any,
    CgroupnsMode: oneOf('private'),
    ConsoleSize: any,
    CpuPeriod: any,
    CpuQuota: any,
    CpuShares: any,
    CpusetCpus: any,
    Dns: any,
    DnsOptions: any,
    DnsSearch: any,
    ExtraHosts: any,
    Init: any,
    IpcMode: own,
    LogConfig: (value: unknown) => oneOf('', 'json-file', 'local', 'none')(member(value, 'Type') ?? ''),
    Memory: any,
    MemoryReservation: any,
    MemorySwap: any,
    MemorySwappiness: any,
    Mounts: (value: unknown) =>
      Array.isArray(value) && value.every((mount) => member(mount, 'Type') === 'tmpfs' && !member(mount, 'Source')),
    NanoCpus: any,
    NetworkMode: (value: unknown) => typeof value === 'string' && !/^(host$|container:)/.test(value),
    PidsLimit: any,
    PortBindings: any,
    PublishAllPorts: any,
    ReadonlyRootfs: any,
    RestartPolicy: any,
    ShmSize: any,
    Tmpfs: any,
    Ulimits: any,
  }).map(([key, test]) => [key.toLowerCase(), test]),
);

/** The first member that leads out of the container; undefined when there is none. */
export function wayOut(hostConfig: unknown): string | undefined {
  if (!isBody(hostConfig)) return isEmpty(hostConfig) ? undefined : 'HostConfig';
  return Object.keys(hostConfig).find((key) => {
    const value = hostConfig[key];
    return !isEmpty(value) && !harmless.get(key.toLowerCase())?.(value);
  });
}

/** As clients write what nobody asked for. */
function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isEmpty);
  if (isBody(value)) return Object.values(value).every(isEmpty);
  return value === undefined || value === null || value === false || value === '' || value === 0 || value === -1;
}
