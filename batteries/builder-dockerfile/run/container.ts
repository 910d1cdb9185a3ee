import type { Duplex } from 'node:stream';
import type { BuildRequest } from '@cleat/protocol/kinds/builder';
import type { Client } from '../api/client.js';
import { buildLabel, type Containers, type RunEnd } from '../api/containers.js';
import { demultiplexed } from '../api/output.js';
import { directoriesOf } from '../api/shapes.js';
import type { StepView } from '../build/step-view.js';
import type { ApiMount } from './mounts.js';

export interface Run {
  readonly build: string;
  /** An image that is nothing but files. */
  readonly image: string;
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly workdir: string;
  readonly user: string;
  readonly mounts: readonly ApiMount[];
  readonly network: string;
  readonly isInsecure: boolean;
  readonly platform: string;
}

/** The body of `POST /containers/create` for a RUN. */
export function containerOf(run: Run, request: BuildRequest): object {
  const { ShmSize, Ulimits, CgroupParent, Memory, MemorySwap, CpuShares, CpuPeriod, CpuQuota } = request;
  return {
    Image: run.image,
    Cmd: run.command,
    Entrypoint: [],
    Env: run.env,
    WorkingDir: run.workdir,
    User: run.user,
    AttachStdout: true,
    AttachStderr: true,
    Labels: { [buildLabel]: run.build },
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: run.network,
      Mounts: run.mounts,
      Privileged: run.isInsecure,
      ExtraHosts: request.ExtraHosts,
      ShmSize,
      Ulimits,
      CgroupParent,
      Memory,
      MemorySwap,
      CpuShares,
      CpuPeriod,
      CpuQuota,
      CpusetCpus: request.CpuSetCpus,
      CpusetMems: request.CpuSetMems,
      SecurityOpt: request.SecurityOpt,
      // Nobody will read it again.
      LogConfig: { Type: 'none' },
    },
  };
}

/** Runs a container to its end; what it prints goes to the step. */
export async function runToEnd(
  containers: Containers,
  id: string,
  vertex: StepView,
  signal: AbortSignal,
): Promise<RunEnd> {
  const output = await containers.attach(id, signal);
  const printed = tell(output, vertex);
  printed.catch(() => {}); // It is awaited below, unless the start fails first.
  try {
    await containers.start(id, signal);
    const end = await containers.wait(id, signal);
    await printed;
    return end;
  } finally {
    output.destroy();
  }
}

async function tell(output: Duplex, vertex: StepView): Promise<void> {
  for await (const { stream, data } of demultiplexed(output)) await vertex.log(stream, data);
}

/** The directory of a container's own files on this host. */
export async function ownFiles(client: Client, id: string): Promise<string> {
  return directoriesOf(await client.call('GET', `/containers/${id}/json`)).upper;
}
