import { conflict } from '@cleat/protocol/errors';
import type { ExecTarget } from '../oci/exec-target.js';
import { remapOf } from '../oci/remap.js';
import { cgroupOf } from './cgroup.js';
import type { Context } from './context.js';
import { linkEnvironment } from './links/environment.js';
import { checkAccountsInside } from './oci-spec/accounts.js';
import { execProcessFor } from './oci-spec/process.js';
import { parseSecurityOptions } from './oci-spec/security-options.js';
import type { Container } from './state/container.js';
import { notRunning, restarting } from './steps/signal.js';

/** A running container as the exec room sees it. @throws Conflict in Docker's words */
export function execTarget(context: Context, container: Container, ref: string): ExecTarget {
  const { id, record, run } = container;
  if (record.state.status === 'paused') {
    throw conflict(`Container ${ref} is paused, unpause the container before exec`);
  }
  if (record.state.status === 'restarting') throw restarting(id);
  if (!container.running || !run) throw notRunning(id);
  const security = parseSecurityOptions(record.hostConfig.SecurityOpt ?? [], context.config.noNewPrivileges);
  return {
    id,
    name: record.name,
    config: record.config,
    runtime: context.runtimes.command(record.runtime, 'exec'),
    owners: remapOf(context.config, record.hostConfig),
    conmonPath: context.conmonPath ?? 'conmon',
    cgroup: cgroupOf(context.config, record),
    execIds: container.execIds,
    ended: run.ended,
    process: async (requested) => {
      const rootfs = context.paths.rootfs(id);
      await checkAccountsInside(context, record, rootfs);
      return execProcessFor(record, rootfs, requested, {
        config: context.config,
        security,
        links: linkEnvironment(context, container),
      });
    },
    emit: (action, attributes) => context.emit(container, action, attributes),
  };
}
