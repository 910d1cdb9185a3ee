import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { groupId } from '@cleat/api/listeners/listen';
import { checkCgroupParent } from '@cleat/engine/oci/cgroups';
import { seccompFor } from '@cleat/engine/oci/seccomp';
import { checkLogOptions } from '@cleat/engine/spool/driver/check';
import { type ExtensionOverride, openExtensions } from '@cleat/extensions/index';
import type { Extensions } from '@cleat/extensions/service';
import { findCommand } from '@cleat/linux/host';
import { invalidParameter, isClass, messageOf } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import { isStaticProgram } from '../static-program.js';
import { apiVariables } from './hosts.js';
import { manifestPaths } from './manifests.js';
import { byFlag } from './options/table.js';
import { addressProblems, bridgeProblem, placeProblems } from './places.js';
import { checkRemap, remapVariables } from './remap.js';
import type { Settings } from './settings.js';
import { readTls } from './tls.js';

const logDriverDefault = byFlag.get('log-driver')?.default;

export interface PreflightOptions {
  /** Look at what opening the engine looks at anyway, too: for `--validate`, which opens none. */
  readonly all: boolean;
}

/**
 * Finds what the configuration asks of this host and cannot have: it would fail at the start or, worse, with the first
 * container. Nothing is changed on the host.
 * @returns a sentence for each problem
 */
export async function preflight(settings: Settings, { all }: PreflightOptions): Promise<string[]> {
  const { values, nameOf, tls } = settings;
  const problems: string[] = [];
  const check = async (name: string, work: () => unknown): Promise<void> => {
    try {
      await work();
    } catch (error) {
      problems.push(name === '' ? messageOf(error) : `${name}: ${messageOf(error)}`);
    }
  };
  problems.push(...placeProblems(settings));
  const { seccompProfile } = settings.engine;
  if (seccompProfile !== undefined) {
    await check(nameOf('seccomp-profile'), () => seccompFor(undefined, seccompProfile, []));
  }
  if (all && values['userns-remap'] !== '') await check('', () => checkRemap(values['userns-remap']));
  await check(nameOf('exec-opt'), () => checkCgroupDriver(settings));
  const init = initProblem(settings);
  if (init !== undefined) problems.push(init);
  const wanted = values['default-runtime'];
  // A missing runtime may come later, and containers wait for it: at a start only the default one has to be there.
  const added = all ? Object.keys(values['add-runtime']).filter((name) => name !== wanted) : [];
  for (const name of [...(wanted === '' ? [] : [wanted]), ...added]) {
    const path = settings.engine.runtimes[name]?.path;
    if (path !== undefined && findCommand(path) === undefined) {
      const flag = nameOf(name === wanted ? 'default-runtime' : 'add-runtime');
      problems.push(`${flag}: ${path} is not there, or is no program`);
    }
  }
  if (all) {
    problems.push(...(await addressProblems(settings)));
    const noBridge = bridgeProblem(settings);
    if (noBridge !== undefined) problems.push(noBridge);
    if (tls !== 'off') await check('', () => readTls(values, tls));
    if (values.group !== '') await check('', () => groupId(values.group));
  }
  // Later on, the driver may be in one of the engine's own containers, or a managed plugin, and come with it.
  const mistyped = values['log-driver'] !== logDriverDefault && isFresh(settings.engine.dataRoot);
  if (all || mistyped) await check('', () => tryExtensions(settings));
  return problems;
}

/** @throws InvalidParameter */
function checkCgroupDriver({ engine }: Settings): void {
  checkCgroupParent(engine, engine.cgroupParent);
  // As sd_booted(3).
  if (engine.cgroupDriver === 'systemd' && !existsSync('/run/systemd/system')) {
    throw invalidParameter('native.cgroupdriver=systemd needs systemd as the init of this host: use cgroupfs');
  }
}

/** No engine has had a container or a managed plugin there. */
function isFresh(dataRoot: string): boolean {
  return ['containers', 'plugins'].every((room) => {
    const path = join(dataRoot, room);
    return !existsSync(path) || readdirSync(path).length === 0;
  });
}

/** The init runs in containers, where no library of this host is. */
function initProblem({ values, engine, nameOf }: Settings): string | undefined {
  const named = values['init-path'];
  if (named === '') {
    if (!values.init || engine.initPath !== undefined) return undefined;
    return `${nameOf('init')}: there is no docker-init and no tini-static on this host: apt-get install tini`;
  }
  const path = findCommand(named);
  if (path === undefined) return `${nameOf('init-path')}: ${named} is not there, or is no program`;
  if (isStaticProgram(path)) return undefined;
  return `${nameOf('init-path')}: ${named} needs libraries of this host, which containers do not have: use a static one, as tini-static`;
}

/**
 * Reads the manifests and asks the log driver, as the engine would, on roots of their own: whatever runs in the name of
 * an engine on the real ones is not touched.
 */
async function tryExtensions({ values, engine, hosts }: Settings): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cleat-preflight-'));
  const inProcess = ([name, override]: [string, ExtensionOverride]): [string, ExtensionOverride] => [
    name,
    override.carrier === 'process' ? { ...override, carrier: 'in-process' } : override,
  ];
  const roots = { dataRoot: directory, execRoot: join(directory, 'exec') };
  try {
    const extensions = openExtensions({
      manifestPaths: manifestPaths(values['extension-manifest']),
      overrides: Object.fromEntries(Object.entries(values.extension).map(inProcess)),
      variables: { engineId: 'preflight', ...engine, ...roots, ...remapVariables(roots), ...apiVariables(hosts) },
      pluginDirectories: values['plugin-dir'],
      ...roots,
      hostPath: fileURLToPath(import.meta.resolve('@cleat/sdk/host')),
      log: silentLogger,
    });
    try {
      // Without logs no driver is needed.
      // The default one may be left out, as any battery.
      const chosen = engine.logDriver !== logDriverDefault || Object.keys(engine.logOpts).length > 0;
      if (chosen && engine.logDriver !== 'none') await checkLogDriver(extensions, engine);
    } finally {
      await extensions.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** @throws InvalidParameter in the words of dockerd, with advice for one that only comes later */
async function checkLogDriver(extensions: Extensions, engine: Settings['engine']): Promise<void> {
  const { logDriver, logOpts, dataRoot } = engine;
  try {
    await checkLogOptions(extensions, logDriver, logOpts);
  } catch (cause) {
    const advice = isClass(cause, 'InvalidParameter') && isClass(cause.cause, 'NotFound');
    if (advice && !isFresh(dataRoot)) return;
    const later = `; a plugin that comes later is announced by a file ${logDriver}.spec or ${logDriver}.json in a plugin directory`;
    throw invalidParameter(`failed to set log opts: ${messageOf(cause)}${advice ? later : ''}`, { cause });
  }
}
