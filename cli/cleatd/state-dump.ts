import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineConfig } from '@cleat/engine/config';
import type { Engine } from '@cleat/engine/engine';
import type { Extensions } from '@cleat/extensions/service';
import type { Logger } from '@cleat/protocol/log';

/** SIGUSR1: what the daemon is doing, as a file for people who look into a problem. */
export function dumpState(
  directory: string,
  { config, engine, extensions }: { config: EngineConfig; engine: Engine; extensions: Extensions },
  log: Logger,
): void {
  const path = join(directory, `state-${new Date().toISOString().replaceAll(':', '')}.json`);
  const state = {
    at: new Date(),
    uptimeSeconds: process.uptime(),
    memory: process.memoryUsage(),
    resources: process.resourceUsage(),
    active: countBy(process.getActiveResourcesInfo()),
    config,
    containers: engine.containers.counts(),
    events: engine.events.stats(),
    extensions: extensions.list(),
    logDrivers: engine.spool.deliveries(),
  };
  writeFileSync(path, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  log.info(`the state is written to ${path}`);
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
