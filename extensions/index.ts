import { join } from 'node:path';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { InProcessCarrier } from './carriers/in-process.js';
import { Extension } from './extension.js';
import { KeptLines } from './kept-lines.js';
import { type ExtensionOverride, type ManifestEntry, readManifests } from './manifest.js';
import { prerequisites } from './order.js';
import { Registry } from './registry.js';
import type { ExtensionStatus, Extensions } from './service.js';
import type { Source } from './source.js';
import { HostLauncher } from './supervisor/host-launcher.js';
import { endStragglers } from './supervisor/stragglers.js';
import { Supervisor } from './supervisor/supervisor.js';

export type { ExtensionOverride } from './manifest.js';
export type { CallResult, ExtensionState, ExtensionStatus, Extensions, KeptLine, MethodStatistics } from './service.js';

export interface ExtensionsSettings {
  /** Manifests (YAML); a later one replaces entries of an earlier one. */
  manifestPaths: readonly string[];
  /** By manifest entry, for example `volume-local`; for a discovered plugin by its name, and then deadlines only. */
  overrides: Readonly<Record<string, ExtensionOverride>>;
  /**
   * The values of `${name}` in the manifests' options. `dataRoot`, `execRoot` and, per entry, `stateDir` (a
   * directory of its own under the data root) come of themselves.
   */
  variables: Readonly<Record<string, unknown>>;
  /** Where plugins are discovered, most important first. */
  pluginDirectories: readonly string[];
  dataRoot: string;
  execRoot: string;
  /** The SDK's program that serves a module on a socket; only for extensions that run as a process. */
  hostPath: string;
  log: Logger;
}

/**
 * Opens the registry: reads the manifests, and starts the extensions that run as processes of their own. Those in
 * process are loaded, and discovered ones activated, when they are first asked for; each after what it needs.
 * @throws InvalidParameter for a manifest or an override that is wrong, and an order that cannot be
 */
export function openExtensions(settings: ExtensionsSettings): Extensions {
  const { dataRoot, execRoot, log } = settings;
  const entries = readManifests({
    paths: settings.manifestPaths,
    overrides: settings.overrides,
    variables: { ...settings.variables, dataRoot, execRoot },
    stateDirectory: join(dataRoot, 'extensions'),
  });
  const order = prerequisites(entries);
  const listeners = new Set<(status: ExtensionStatus) => void>();
  const starts: (() => void)[] = [];
  const directory = join(execRoot, 'extensions');
  const processes = new Set(
    entries.filter(({ enabled, carrier }) => enabled && carrier === 'process').map(({ id }) => id),
  );
  const kept = new KeptLines();
  const cleared = endStragglers(directory, processes, log);
  const configured = entries
    .filter((entry) => entry.enabled)
    .map((entry) => {
      const own = kept.logger(log, entry.id);
      const ready = (signal?: AbortSignal) => whenReady(entry, signal);
      const source = entry.carrier === 'process' ? supervise(entry, own) : inProcess(entry, own, cleared, ready);
      if (source.start) starts.push(() => source.start?.(ready));
      return new Extension({
        name: entry.driver,
        entry: entry.id,
        carrier: entry.carrier,
        declaredKinds: entry.kinds,
        origin: entry.origin,
        source,
        deadlines: entry.deadlines,
        prerequisites: order.get(entry.id),
        log: own,
        onChange: (status) => {
          for (const listener of listeners) listener(status);
        },
      });
    });
  for (const start of starts) start();
  return new Registry(
    {
      configured,
      disabled: entries.filter((entry) => !entry.enabled).map(disabledStatus),
      pluginDirectories: settings.pluginDirectories,
      deadlines: (name) => settings.overrides[name]?.deadlines ?? {},
      log,
      kept,
      prerequisites: (entry) => order.get(entry),
    },
    listeners,
  );

  function supervise(entry: ManifestEntry, own: Logger): Source {
    const launcher = new HostLauncher({ entry, hostPath: settings.hostPath, directory, log: own });
    const { socket } = launcher;
    return new Supervisor({ launcher, socket, origin: `${entry.origin} (${entry.id})`, log: own });
  }

  /** @throws Unavailable while something that it needs does not answer */
  async function whenReady({ id }: ManifestEntry, signal: AbortSignal | undefined): Promise<void> {
    const { needs = [], after = [] } = order.get(id) ?? {};
    const find = (wanted: string) => configured.find(({ entry }) => entry === wanted);
    for (const wanted of after) {
      await find(wanted)
        ?.activated({ signal })
        .catch(() => {
          // It has its own state and reason; this one does not need it.
        });
    }
    for (const wanted of needs) {
      await find(wanted)
        ?.activated({ signal })
        .catch((cause: unknown) => {
          throw unavailable(`it needs the extension '${wanted}': ${messageOf(cause)}`, { cause });
        });
    }
  }
}

/** Loaded when it is first asked for, but not before a former process of the same extension is gone. */
function inProcess(entry: ManifestEntry, log: Logger, cleared: Promise<void>, ready: () => Promise<void>): Source {
  const place = {
    id: entry.module,
    origin: `${entry.origin} (${entry.id})`,
    open: async () => {
      await Promise.all([cleared, ready()]);
      return await InProcessCarrier.load({ name: entry.driver, path: entry.module, options: entry.options, log });
    },
  };
  return { locate: () => place, patienceMs: () => 0 };
}

function disabledStatus(entry: ManifestEntry): ExtensionStatus {
  return {
    name: entry.driver,
    entry: entry.id,
    kinds: entry.kinds,
    carrier: entry.carrier,
    origin: entry.origin,
    state: 'disabled',
    reason: 'left out by the configuration',
    since: new Date(),
    health: 'unknown',
    lastError: undefined,
    underWay: 0,
    retries: 0,
    methods: [],
    deadlines: entry.deadlines,
  };
}
