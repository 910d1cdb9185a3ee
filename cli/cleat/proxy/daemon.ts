import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Api, currentRequest, isLoopback } from '@cleat/api/index';
import { openProxyApi } from '@cleat/api/proxy/index';
import { openAudit } from '@cleat/engine/audit/index';
import { openAuthorization } from '@cleat/engine/authorization/index';
import { openCallers } from '@cleat/engine/callers/index';
import { openHooks } from '@cleat/engine/hooks/index';
import { openExtensions } from '@cleat/extensions/index';
import { messageOf } from '@cleat/protocol/errors';
import { setInterval } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { checkExposure } from '../../cleatd/exposure.js';
import { type DaemonLog, openLog } from '../../cleatd/log.js';
import { manifestPaths } from '../../cleatd/manifests.js';
import { notify } from '../../cleatd/notify.js';
import { UsageError } from '../../cleatd/options/parse.js';
import { remapVariables } from '../../cleatd/remap.js';
import { openRoots, writePidFile } from '../../cleatd/roots.js';
import type { Settings } from '../../cleatd/settings.js';
import { onSignals } from '../../cleatd/signals.js';
import { Teardown } from '../../cleatd/teardown.js';
import { readTls } from '../../cleatd/tls.js';
import { watchForTheUnexpected } from '../../cleatd/unexpected.js';
import { cleatVersion } from '../../version.js';
import { ContainerNames } from './names.js';
import type { ProxySettings } from './settings.js';

/** How long requests may go on when the proxy is asked to stop. */
const drainMs = 10_000;
/** How often an upstream is looked at that was away. */
const lookMs = 2000;
const lookDeadlineMs = 5000;

/** The part of the settings that SIGHUP changes; rooms read it at each request. */
interface Live {
  authorizationPlugins: readonly string[];
  hooks: Settings['engine']['hooks'];
  audit: Settings['engine']['audit'];
}

/** @returns the exit code @throws UsageError and CleatError when it cannot start; nothing is left behind then */
export async function runProxy(proxy: ProxySettings, settings: Settings): Promise<number> {
  if (process.getuid?.() !== 0)
    throw new UsageError('the proxy needs root to serve the engine’s socket: start it with sudo, or as root');
  const warnings = [...settings.warnings, ...checkExposure(settings), ...exposedUpstream(proxy)];
  const { values } = settings;
  const log = openLog({
    level: settings.engine.debug ? 'debug' : values['log-level'],
    format: values['log-format'] === 'json' || (values['log-format'] === '' && !process.stderr.isTTY) ? 'json' : 'text',
  });
  for (const warning of warnings) log.logger.warn(warning);
  const teardown = new Teardown();
  try {
    const signal = await serve(proxy, settings, log, teardown);
    log.logger.info(`stopping (${signal})`);
    notify('STOPPING=1', log.logger);
    return 0;
  } finally {
    for (const failure of await teardown.run()) log.logger.error(`stopping: ${failure}`);
  }
}

/** Everybody on the way to another host could be root there. */
function exposedUpstream({ upstream, upstreamText }: ProxySettings): string[] {
  if (upstream.kind === 'unix' || isLoopback(upstream.host)) return [];
  if (upstream.tls?.rejectUnauthorized) return [];
  const why = upstream.tls ? 'with TLS, but without a look at its certificate' : 'without TLS';
  return [`the upstream ${upstreamText} is reached ${why}: use --upstream-tlsverify`];
}

/** @returns the signal that ended it */
async function serve(
  proxy: ProxySettings,
  settings: Settings,
  log: DaemonLog,
  teardown: Teardown,
): Promise<NodeJS.Signals> {
  const { logger } = log;
  const { values, engine, tls } = settings;
  const engineId = openRoots(engine.dataRoot, engine.execRoot, teardown);
  writePidFile(values.pidfile, teardown);
  const tlsFiles = tls === 'off' ? undefined : readTls(values, tls);
  watchForTheUnexpected(logger, currentRequest);
  const live: Live = liveOf(settings);
  const extensions = openExtensions({
    manifestPaths: manifestPaths(values['extension-manifest']),
    overrides: values.extension,
    variables: { ...engine, engineId, apiAddress: proxy.upstreamText, ...remapVariables(engine) },
    pluginDirectories: values['plugin-dir'],
    dataRoot: engine.dataRoot,
    execRoot: engine.execRoot,
    hostPath: fileURLToPath(import.meta.resolve('@cleat/sdk/host')),
    log: logger,
  });
  teardown.add('extensions', () => extensions.close());
  const room = (name: string): Logger => logger.child({ room: name });
  const audit = openAudit({ directory: join(engine.dataRoot, 'audit'), log: room('audit'), config: live });
  teardown.add('audit', () => audit.close());
  const hooks = openHooks({ config: live, extensions, log: room('hooks') });
  teardown.add('hooks', () => hooks.close());
  const names = new ContainerNames(proxy.upstream, proxy.upstreamText);
  teardown.add('names of containers', () => names.close());
  names.follow();
  const authorization = openAuthorization({ config: live, extensions, log: room('authorization') });
  const judges = (): boolean => authorization.required || (live.hooks?.entries.length ?? 0) > 0;
  const api = openProxyApi({
    upstream: proxy.upstream,
    services: { audit, authorization, hooks, callers: openCallers({ container: names.find, plugin: () => undefined }) },
    log: room('api'),
    version: cleatVersion(),
    passesUnknown: () => proxy.unknownRoutes === 'pass' || (proxy.unknownRoutes === 'auto' && !judges()),
  });
  teardown.add('API', () => api.close(drainMs));
  teardown.add('look at the upstream', await watchUpstream(api, logger));
  await listen(api, settings, tlsFiles, logger);
  notify('READY=1', logger);
  logger.info('the proxy is ready', { judged: judges() });
  if (!judges()) logger.warn('neither a hook nor an authorizer is configured: all requests pass');
  return await onSignals({
    reload: async () => {
      notify('RELOADING=1', logger);
      await reload(proxy, live, log, extensions);
      notify('READY=1', logger);
    },
    dump: () => logger.info('state', { extensions: extensions.list(), lost: audit.lost }),
    log: logger,
  });
}

function liveOf({ engine }: Settings): Live {
  const { authorizationPlugins = [], hooks, audit } = engine;
  return { authorizationPlugins, hooks, audit };
}

async function listen(
  api: Api,
  { hosts, values }: Settings,
  tls: ReturnType<typeof readTls> | undefined,
  logger: Logger,
): Promise<void> {
  for (const host of hosts) {
    const options = { group: values.group || 'docker', ...(host.kind === 'tcp' && tls && { tls }) };
    for (const { address } of await api.listen(host.text, options)) logger.info(`the proxy listens on ${address}`);
  }
}

/** Says when the upstream cannot be used, and when it can again. @returns what ends it */
async function watchUpstream(api: ReturnType<typeof openProxyApi>, logger: Logger): Promise<() => void> {
  let before: string | undefined;
  const look = async (): Promise<void> => {
    const why = await api.look(AbortSignal.timeout(lookDeadlineMs));
    if (why !== undefined && before === undefined) logger.warn(`the upstream cannot be used: ${why}`);
    if (why === undefined && before !== undefined) logger.info('the upstream is back');
    before = why;
  };
  await look();
  const timer = setInterval(look, lookMs).unref();
  return () => clearInterval(timer);
}

/** Reads the file again. A mistake in it changes nothing and is logged. */
async function reload(
  proxy: ProxySettings,
  live: Live,
  log: DaemonLog,
  extensions: ReturnType<typeof openExtensions>,
): Promise<void> {
  try {
    const settings = await proxy.load();
    proxy.renewTls();
    for (const done of await extensions.reconfigure(settings.values.extension)) log.logger.info(`extension ${done}`);
    Object.assign(live, liveOf(settings));
    log.setLevel(settings.engine.debug ? 'debug' : settings.values['log-level']);
    log.logger.info('the configuration was read again', {
      hooks: live.hooks?.path,
      authorization: live.authorizationPlugins,
    });
  } catch (error) {
    log.logger.error(`the configuration was not changed: ${messageOf(error)}`);
  }
}
