import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict, systemError } from '@cleat/protocol/errors';
import type { Container } from './container.js';
import { notRunning } from './kill.js';
import { restarting } from './pause.js';
import type { Room } from './room.js';
import type { ExecTarget, OciProcess } from './service.js';

/** A running container as the exec room sees it. @throws Conflict in Docker's words */
export function execTarget(room: Room, container: Container): ExecTarget {
  const { id, record, run } = container;
  if (record.state.status === 'paused') {
    throw conflict(`Container ${id} is paused, unpause the container before exec`);
  }
  if (record.state.status === 'restarting') throw restarting(id);
  if (!container.running || !run) throw notRunning(id);
  return {
    id,
    name: record.name,
    pid: record.state.pid,
    config: record.config,
    hostConfig: record.hostConfig,
    runtimePath: room.runtimes.binary(record.runtime),
    runtimeArgs: room.runtimes.get(record.runtime).globalArgs,
    conmonPath: room.conmonPath ?? 'conmon',
    rootfs: room.paths.rootfs(id),
    execIds: container.execIds,
    ended: run.ended,
    process: () => readProcess(run.bundle),
    emit: (action, attributes) => room.emit(container, action, attributes),
  };
}

async function readProcess(bundle: string): Promise<OciProcess> {
  const spec: unknown = JSON.parse(await readFile(join(bundle, 'config.json'), 'utf8'));
  if (typeof spec === 'object' && spec !== null && 'process' in spec) return spec.process as OciProcess;
  throw systemError(`${bundle}/config.json has no process`);
}
