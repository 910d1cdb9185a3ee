import type { EngineConfig } from '@cleat/engine/config';
import type { Events } from '@cleat/engine/events/service';
import { messageOf } from '@cleat/protocol/errors';
import { defaultRuntime } from './default-runtime.js';
import type { DaemonLog } from './log.js';
import { loadSettings } from './settings.js';

/** The engine's configuration, which SIGHUP may change under the rooms that hold it. */
export type LiveConfig = { -readonly [K in keyof EngineConfig]: EngineConfig[K] };

/**
 * Settings that SIGHUP applies again; the options with `reload` in the table are the same ones, as the operator sees
 * them.
 */
const reloaded = [
  'authorizationPlugins',
  'debug',
  'defaultRuntime',
  'insecureRegistries',
  'labels',
  'liveRestore',
  'maxConcurrentDownloads',
  'registryMirrors',
  'runtimes',
  'shutdownTimeout',
] as const;

/** Reads the configuration file again. A mistake in it changes nothing and is logged. */
export async function reload(
  flags: ReadonlyMap<string, unknown>,
  config: LiveConfig,
  { log, events }: { log: DaemonLog; events: Events },
): Promise<void> {
  try {
    const settings = await loadSettings(flags);
    const { name } = await defaultRuntime(settings);
    const { values } = settings;
    const engine = { ...settings.engine, defaultRuntime: name };
    const applied = Object.fromEntries(reloaded.map((key) => [key, engine[key]]));
    Object.assign(config, applied);
    log.setLevel(engine.debug ? 'debug' : values['log-level']);
    events.publish({ type: 'daemon', action: 'reload', id: config.engineId, attributes: attributesOf(config) });
    log.logger.info('the configuration was read again', applied);
  } catch (error) {
    log.logger.error(`the configuration was not changed: ${messageOf(error)}`);
  }
}

/** As Docker's event carries them. */
function attributesOf(config: EngineConfig): Record<string, string> {
  return {
    debug: String(config.debug),
    'default-runtime': config.defaultRuntime,
    'insecure-registries': JSON.stringify(config.insecureRegistries),
    labels: JSON.stringify(config.labels),
    'live-restore': String(config.liveRestore),
    'max-concurrent-downloads': String(config.maxConcurrentDownloads),
    name: config.name,
    'registry-mirrors': JSON.stringify(config.registryMirrors),
    runtimes: Object.entries(config.runtimes)
      .map(([name, { path }]) => `${name}:{${path}}`)
      .join(', '),
    'shutdown-timeout': String(config.shutdownTimeout),
  };
}
