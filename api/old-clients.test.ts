import type { ContainerCreateRequest, ContainerInspect } from '@cleat/protocol/api/container';
import { describe, expect, it } from 'vitest';
import { inspectFor } from './containers/inspect.js';
import { isBefore } from './http/version.js';
import { echoSession, startApi, talk } from './testing/fakes.js';

/** The request of the client of Docker 1.8 (API 1.20) for `docker run --volume-driver=nfs -i busybox cat`, head and body. */
const create = `{"Hostname":"","Domainname":"","User":"","AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"PortSpecs":null,"ExposedPorts":{},"Tty":false,"OpenStdin":true,"StdinOnce":true,"Env":[],"Cmd":["cat"],"Image":"busybox","Volumes":{},"VolumeDriver":"nfs","WorkingDir":"","Entrypoint":null,"NetworkDisabled":false,"MacAddress":"","OnBuild":null,"Labels":{},"HostConfig":{"Binds":["v:/d"],"ContainerIDFile":"","LxcConf":[],"Memory":0,"MemorySwap":0,"CpuShares":0,"CpuPeriod":0,"CpusetCpus":"","CpusetMems":"","CpuQuota":0,"BlkioWeight":0,"OomKillDisable":false,"MemorySwappiness":-1,"Privileged":false,"PortBindings":{},"Links":null,"PublishAllPorts":false,"Dns":null,"DnsSearch":null,"ExtraHosts":null,"VolumesFrom":null,"Devices":[],"NetworkMode":"default","IpcMode":"","PidMode":"","UTSMode":"","CapAdd":null,"CapDrop":null,"GroupAdd":null,"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"SecurityOpt":null,"ReadonlyRootfs":false,"Ulimits":null,"LogConfig":{"Type":"","Config":{}},"CgroupParent":"","ConsoleSize":[0,0]}}\n`;

const head = (line: string, length: number, type = 'text/plain'): string =>
  `${line} HTTP/1.1\r\nHost: /var/run/docker.sock\r\nUser-Agent: Docker-Client/1.8.3 (linux)\r\nContent-Length: ${length}\r\nContent-Type: ${type}\r\n`;

describe('a client of 2015', () => {
  it('runs a container', async () => {
    const created: ContainerCreateRequest[] = [];
    await using server = await startApi({
      containers: {
        create: async (request) => {
          created.push(request);
          return { Id: 'abc', Warnings: [] };
        },
        attach: async () => echoSession(false),
        start: async () => {},
        wait: () => ({ result: Promise.resolve({ StatusCode: 3 }) }),
      },
    });
    const request = `${head('POST /v1.20/containers/create', create.length, 'application/json')}Connection: close\r\n\r\n${create}`;
    expect(await talk(server.connect(), request)).toMatch(/^HTTP\/1\.1 201 .*\{"Id":"abc","Warnings":null\}\n$/s);
    expect(created[0]).toMatchObject({
      Image: 'busybox',
      Cmd: ['cat'],
      HostConfig: {
        Binds: ['v:/d'],
        VolumeDriver: 'nfs',
        NetworkMode: 'bridge',
        IpcMode: 'shareable',
        CgroupnsMode: 'host',
      },
    });
    expect(created[0]).not.toHaveProperty('VolumeDriver');
    expect(created[0]?.HostConfig).not.toHaveProperty('MemorySwappiness');

    const attach = `${head('POST /v1.20/containers/abc/attach?stderr=1&stdin=1&stdout=1&stream=1', 0)}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n`;
    const attached = await talk(server.connect(), `${attach}hi`, { end: true });
    expect(attached).toMatch(/^HTTP\/1\.1 101 UPGRADED\r\nContent-Type: application\/vnd\.docker\.raw-stream\r\n/);
    expect(attached).toContain('\x01\0\0\0\0\0\0\x02hi');

    const start = await talk(
      server.connect(),
      `${head('POST /v1.20/containers/abc/start', 0)}Connection: close\r\n\r\n`,
    );
    expect(start).toMatch(/^HTTP\/1\.1 204 /);
    const wait = await talk(server.connect(), `${head('POST /v1.20/containers/abc/wait', 0)}Connection: close\r\n\r\n`);
    expect(wait).toMatch(/\r\n\r\n\{"StatusCode":3\}\n$/);
  });
});

describe('inspect', () => {
  const endpoint = {
    IPAddress: '172.17.0.2',
    IPPrefixLen: 16,
    Gateway: '172.17.0.1',
    MacAddress: '02:42:ac:11:00:02',
    GwPriority: 0,
    DNSNames: [],
  };
  const container = {
    Id: 'abcdef012345ffff',
    Config: { Hostname: 'host' },
    HostConfig: { VolumeDriver: 'nfs', Annotations: { a: 'b' } },
    NetworkSettings: { Networks: { bridge: endpoint, mine: { ...endpoint, Aliases: ['db'] } } },
  } as unknown as ContainerInspect;
  const shown = (version: string) =>
    JSON.parse(JSON.stringify(inspectFor({ before: (other) => isBefore(version, other) }, container)));

  it('has the shape of each version', () => {
    expect(shown('1.51').NetworkSettings).toMatchObject({
      IPAddress: '172.17.0.2',
      Networks: { mine: { Aliases: ['db'] } },
    });
    expect(shown('1.51').NetworkSettings.Networks.bridge).toEqual(endpoint);
    expect(shown('1.52').NetworkSettings).not.toHaveProperty('IPAddress');
    expect(shown('1.44').NetworkSettings.Networks.mine).toMatchObject({
      Aliases: ['db', 'abcdef012345', 'host'],
      DNSNames: [],
    });
    expect(shown('1.43').NetworkSettings.Networks.bridge).not.toHaveProperty('DNSNames');
    // Only the list leaves them out for older clients.
    expect(shown('1.43').HostConfig).toEqual({ VolumeDriver: 'nfs', Annotations: { a: 'b' } });
    expect(shown('1.20')).toMatchObject({ ExecDriver: 'native-0.2', Config: { VolumeDriver: 'nfs' } });
  });
});
