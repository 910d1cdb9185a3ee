import { linkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { currentCaller, currentRequest } from '@cleat/api/http/request-context';
import { openEngine } from '@cleat/engine/engine';
import { metricsDirectory } from '@cleat/engine/rooms';
import { openExtensions } from '@cleat/extensions/index';
import { giveMemoryBackAtRest } from '@cleat/linux/process/at-rest';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { answersOn } from '../docker-socket.js';
import { cleatVersion } from '../version.js';
import { defaultRuntime } from './default-runtime.js';
import { checkExposure, checkOwnBridges } from './exposure.js';
import { apiVariables, isLoopback } from './hosts.js';
import { type DaemonLog, openLog } from './log.js';
import { manifestPaths } from './manifests.js';
import { parseMetricsAddress } from './metrics/address.js';
import type { Metrics } from './metrics/metrics.js';
import { notify } from './notify.js';
import { UsageError } from './options/parse.js';
import { preflight } from './preflight.js';
import { type LiveConfig, reload } from './reload.js';
import { remapVariables, withRemap } from './remap.js';
import { openRoots, writePidFile } from './roots.js';
import type { Settings } from './settings.js';
import { onSignals } from './signals.js';
import { dumpState } from './state-dump.js';
import { Teardown } from './teardown.js';
import { readTls } from './tls.js';
import { watchForTheUnexpected } from './unexpected.js';

const loadApi = () => import('@cleat/api/index');

/** Loads the API and what follows it. Plugins are begun first, and have the other processors meanwhile. */
async function loadRest() {
  await setImmediate();
  return await Promise.all([loadApi(), import('./metrics/metrics.js'), import('./metrics/collectors.js')]);
}

/**
 * Runs the daemon until it is told to stop.
 * @param flags as they stood on the command line, for SIGHUP.
 * @returns its exit code.
 * @throws UsageError and CleatError when it cannot start; nothing is left behind then.
 */
export async function runDaemon(given: Settings, flags: ReadonlyMap<string, unknown>): Promise<number> {
  if (process.getuid?.() !== 0) {
    throw new UsageError('cleatd needs root to run containers: start it with sudo, or as root');
  }
  const settings = await withRemap(given);
  const { values } = settings;
  const warnings = [...settings.warnings, ...checkExposure(settings)];
  await refuseTakenSockets(settings);
  const problems = await preflight(settings, { all: false });
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  const log = openLog({
    level: settings.engine.debug ? 'debug' : values['log-level'],
    format: values['log-format'] === 'json' || (values['log-format'] === '' && !process.stderr.isTTY) ? 'json' : 'text',
  });
  for (const [name, value] of settings.proxies) process.env[name] = value;
  const teardown = new Teardown();
  try {
    return await serve(settings, flags, warnings, log, teardown);
  } catch (error) {
    await finish(teardown, log.logger);
    throw error;
  }
}

async function serve(
  settings: Settings,
  flags: ReadonlyMap<string, unknown>,
  warnings: readonly string[],
  log: DaemonLog,
  teardown: Teardown,
): Promise<number> {
  const { values, hosts, tls } = settings;
  const { logger } = log;
  const started = Date.now();
  const engineId = openRoots(settings.engine.dataRoot, settings.engine.execRoot, teardown);
  writePidFile(values.pidfile, teardown);
  const runtime = await defaultRuntime(settings);
  const config: LiveConfig = { engineId, ...settings.engine, defaultRuntime: runtime.name };
  const tlsFiles = tls === 'off' ? undefined : readTls(values, tls);
  for (const warning of warnings) logger.warn(warning);
  logger.info(`containers run with ${runtime.name}: ${runtime.why}`);
  watchForTheUnexpected(logger, currentRequest);
  const onFailure = (error: unknown) => logger.debug(`memory is not given back at rest: ${messageOf(error)}`);
  teardown.add('memory', giveMemoryBackAtRest({ tickMs: 500, quiet: 5_000, worthIt: 500_000, onFailure }));

  const extensions = openExtensions({
    manifestPaths: manifestPaths(values['extension-manifest']),
    overrides: values.extension,
    // A manifest may name anything that the engine is configured with.
    variables: { ...config, ...remapVariables(config), ...apiVariables(hosts) },
    pluginDirectories: values['plugin-dir'],
    dataRoot: config.dataRoot,
    execRoot: config.execRoot,
    hostPath: fileURLToPath(import.meta.resolve('@cleat/sdk/host')),
    log: logger,
  });
  teardown.add('extensions', () => extensions.close());

  const apiOptions = {
    log: logger.child({ room: 'api' }),
    version: cleatVersion(),
    minApiVersion: values['min-api-version'],
  };
  const engine = await openEngine(config, {
    log: logger,
    extensions,
    caller: currentCaller,
    // A build was authorized when it was asked for, and what is made on its way need not outlive a power cut.
    serveBuilder: async (path, view) => {
      const { audit: _a, authorization: _, store: __, callers: ___, hooks: ____, ...rooms } = engine;
      const { openApi } = await loadApi();
      const api = openApi({ ...apiOptions, forBuilders: true, services: { ...rooms, ...view, extensions } });
      await api.listen(`unix://${path}`);
      return { close: () => api.close(0) };
    },
  });
  teardown.add('engine', async () => {
    for (const failure of await engine.close()) logger.warn(`closing ${failure}`);
  });
  const starting = engine.start();
  const [{ openApi }, { Metrics }, { Collectors }] = await Promise.all([loadRest(), starting]).then(([rest]) => rest);
  checkOwnBridges(settings, (address) => engine.networks.isBridgeAddress(address));

  const metrics = new Metrics({ engine, extensions });
  teardown.add('metrics', () => metrics.close());
  if (values['metrics-addr'] !== '') await listenForMetrics(metrics, values['metrics-addr'], logger);
  const collectors = new Collectors({
    extensions,
    names: values['metrics-collector'],
    serve: async () => {
      const path = join(config.execRoot, 'metrics.sock');
      const served = await metrics.listen({ path });
      // The same socket where sandboxes see it.
      const shared = join(metricsDirectory(config), 'metrics.sock');
      rmSync(shared, { force: true });
      linkSync(path, shared);
      return served;
    },
    log: logger,
  });
  teardown.add('metrics collectors', () => collectors.close());
  const api = openApi({
    services: { ...engine, containers: metrics.containers, extensions },
    ...apiOptions,
  });
  teardown.add('API', () => api.close(1000));
  for (const host of hosts) {
    const options = { group: values.group || 'docker', ...(host.kind === 'tcp' && tlsFiles && { tls: tlsFiles }) };
    for (const { address } of await api.listen(host.text, options)) logger.info(`API listens on ${address}`);
  }
  logger.info('the engine is ready', { engineId, ms: Date.now() - started, version: cleatVersion() });
  notify('READY=1', logger);

  const signal = await onSignals({
    reload: async () => {
      notify('RELOADING=1', logger);
      await reload(flags, config, { log, events: engine.events, extensions });
      notify('READY=1', logger);
    },
    dump: () => dumpState(config.execRoot, { config, engine, extensions }, logger),
    log: logger,
  });
  logger.info(`stopping (${signal})`);
  notify('STOPPING=1', logger);
  await engine.containers.shutdown({ liveRestore: config.liveRestore, timeout: config.shutdownTimeout });
  await finish(teardown, logger);
  return 0;
}

/** @throws Unavailable */
async function listenForMetrics(metrics: Metrics, address: string, logger: Logger): Promise<void> {
  const where = await metrics.listen(parseMetricsAddress(address));
  logger.info(`metrics API listening on ${where}`);
  if (!isLoopback(where.replace(/:\d+$/, '').replace(/[[\]]/g, ''))) {
    logger.warn(`metrics on ${where} have no TLS: anybody who reaches them reads what this engine does`);
  }
}

async function finish(teardown: Teardown, logger: Logger): Promise<void> {
  for (const failure of await teardown.run()) logger.error(`stopping: ${failure}`);
}

/** Called before anything is touched: a second engine, started by mistake, must not disturb the first one's state. */
async function refuseTakenSockets({ hosts }: Settings): Promise<void> {
  for (const host of hosts) {
    if (host.kind !== 'unix' || !(await answersOn(host.path))) continue;
    throw new UsageError(
      `another engine answers on ${host.path}: stop it, or name another socket with -H, for example -H unix:///run/cleat.sock`,
    );
  }
}
