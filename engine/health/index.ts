import type { Logger } from '@cleat/protocol/log';
import type { ContainerHost } from '../containers/service.js';
import type { ExecRunner } from '../exec/service.js';
import { HealthMonitors } from './monitors.js';
import type { HealthChecks } from './service.js';

export interface HealthDeps {
  readonly log: Logger;
  readonly containers: Pick<ContainerHost, 'watchRuns'>;
  readonly execs: ExecRunner;
}

/** Opens the room: from now on, each container that has a health check is probed while it runs. */
export function openHealth({ log, containers, execs }: HealthDeps): HealthChecks {
  const monitors = new HealthMonitors({ log, execs });
  containers.watchRuns(monitors);
  return { counts: () => ({ ...monitors.counts }) };
}
