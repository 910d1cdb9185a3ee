import type { EngineConfig } from '@cleat/engine/config';
import type { Events } from '@cleat/engine/events/service';
import type { Extensions } from '@cleat/extensions/service';
import { messageOf } from '@cleat/protocol/errors';
import { defaultRuntime } from './default-runtime.js';
import type { DaemonLog } from './log.js';
import { keyOf, type Reloadable } from './options/option.js';
import { options } from './options/table.js';
import { loadSettings } from './settings.js';

/** The engine's configuration, which SIGHUP may change under the rooms that hold it. */
export type LiveConfig = { -readonly [K in keyof EngineConfig]: EngineConfig[K] };

/** The settings that SIGHUP applies again, each with its key in `daemon.json`, by the table of options. */
const reloaded: ReadonlyMap<Reloadable, string> = new Map(
  options
    .flatMap((one): [Reloadable, string][] => (one.reload === undefined ? [] : [[one.reload, keyOf(one) ?? one.flag]]))
    // Two options may change one setting; the first of them names it.
    .reverse(),
);

/** Reads the configuration file again. A mistake in it changes nothing and is logged. */
export async function reload(
  flags: ReadonlyMap<string, unknown>,
  config: LiveConfig,
  { log, events, extensions }: { log: DaemonLog; events: Events; extensions: Pick<Extensions, 'reconfigure'> },
): Promise<void> {
  try {
    const settings = await loadSettings(flags);
    const { name } = await defaultRuntime(settings, { afresh: true });
    const { values } = settings;
    const engine = { ...settings.engine, defaultRuntime: name };
    const applied = Object.fromEntries([...reloaded.keys()].map((setting) => [setting, engine[setting]]));
    for (const done of await extensions.reconfigure(values.extension)) log.logger.info(`extension ${done}`);
    Object.assign(config, applied);
    log.setLevel(engine.debug ? 'debug' : values['log-level']);
    events.publish({ type: 'daemon', action: 'reload', id: config.engineId, attributes: attributesOf(config) });
    log.logger.info('the configuration was read again', applied);
  } catch (error) {
    log.logger.error(`the configuration was not changed: ${messageOf(error)}`);
  }
}

/** As Docker's event carries them: by the keys of `daemon.json`. */
function attributesOf(config: EngineConfig): Record<string, string> {
  const texts = [...reloaded].map(([setting, key]) => [key, text(config[setting])] as const);
  const runtimes = Object.entries(config.runtimes).map(([name, { path }]) => `${name}:{${path}}`);
  const files = { hooks: config.hooks?.path ?? '' };
  return { ...Object.fromEntries(texts), ...files, runtimes: runtimes.join(', '), name: config.name };
}

/** Undefined: it is switched off. */
const text = (value: unknown): string =>
  value === undefined ? 'false' : typeof value === 'object' ? JSON.stringify(value) : String(value);
