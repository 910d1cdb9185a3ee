import { conflict } from '@cleat/protocol/errors';
import { cgroupOf } from './cgroup.js';
import type { Container } from './container.js';
import { notRunning } from './life/kill.js';
import { restarting } from './life/pause.js';
import { linkEnvironment } from './links/environment.js';
import type { Room } from './room.js';
import type { ExecTarget } from './service.js';
import { checkAccountsInside } from './spec/accounts.js';
import { execProcessFor } from './spec/process.js';
import { parseSecurityOptions } from './spec/security-options.js';

/** A running container as the exec room sees it. @throws Conflict in Docker's words */
export function execTarget(room: Room, container: Container, ref: string): ExecTarget {
  const { id, record, run } = container;
  if (record.state.status === 'paused') {
    throw conflict(`Container ${ref} is paused, unpause the container before exec`);
  }
  if (record.state.status === 'restarting') throw restarting(id);
  if (!container.running || !run) throw notRunning(id);
  const security = parseSecurityOptions(record.hostConfig.SecurityOpt ?? [], room.config.noNewPrivileges);
  return {
    id,
    name: record.name,
    config: record.config,
    runtime: room.runtimes.command(record.runtime, 'exec'),
    conmonPath: room.conmonPath ?? 'conmon',
    cgroup: cgroupOf(room.config, record),
    execIds: container.execIds,
    ended: run.ended,
    process: async (wish) => {
      const rootfs = room.paths.rootfs(id);
      await checkAccountsInside(room, record, rootfs);
      return execProcessFor(record, rootfs, wish, {
        config: room.config,
        security,
        links: linkEnvironment(room, container),
      });
    },
    emit: (action, attributes) => room.emit(container, action, attributes),
  };
}
