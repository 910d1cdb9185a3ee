import type { PluginUse } from './service.js';

/** Other rooms' knowledge of a driver's users. Volumes and networks are known by name. */
export interface Neighbours {
  volumes(driver: string): readonly string[];
  networks(driver: string): readonly string[];
  /** Names of the containers that run and have to do with it. */
  runningUsers(
    used: { volume: string } | { network: string } | { logs: (driver: string) => boolean } | { runtime: string },
  ): readonly string[];
}

/** The users of a plugin: derived from what there is, never counted up and down. */
export function usesOf(neighbours: Neighbours, plugin: string, isCalled: (name: string) => boolean): PluginUse[] {
  const volumes = neighbours.volumes(plugin).map((volume) => ({
    what: `volume ${volume}`,
    containers: neighbours.runningUsers({ volume }),
  }));
  const networks = neighbours.networks(plugin).map((network) => ({
    what: `network ${network}`,
    containers: neighbours.runningUsers({ network }),
  }));
  const running = neighbours.runningUsers({ runtime: plugin });
  const runtime = running.length > 0 ? [{ what: 'runtime', containers: running }] : [];
  const logging = neighbours.runningUsers({ logs: isCalled });
  const logs = logging.length > 0 ? [{ what: 'logs', containers: logging }] : [];
  return [...volumes, ...networks, ...logs, ...runtime];
}
