import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { groupId } from '@cleat/api/listeners/listen';
import { seccompFor } from '@cleat/engine/containers/spec/seccomp';
import { checkLogOptions } from '@cleat/engine/spool/driver/check';
import { type ExtensionOverride, openExtensions } from '@cleat/extensions/index';
import { findCommand } from '@cleat/linux/host';
import { messageOf } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import { isStaticProgram } from '../static-program.js';
import { manifestPaths } from './manifests.js';
import { byFlag, defaultOf } from './options/table.js';
import type { Settings } from './settings.js';
import { readTls } from './tls.js';

export interface PreflightOptions {
  /** Look at what opening the engine looks at anyway, too: for `--validate`, which opens none. */
  readonly all: boolean;
}

/**
 * What the configuration asks of this host and cannot have: it would fail at the start or, worse, with the first
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
  const { seccompProfile } = settings.engine;
  if (seccompProfile !== undefined) {
    await check(nameOf('seccomp-profile'), () => seccompFor(undefined, seccompProfile, []));
  }
  const init = initProblem(settings);
  if (init !== undefined) problems.push(init);
  if (all) {
    if (tls !== 'off') await check('', () => readTls(values, tls));
    if (values.group !== '') await check('', () => groupId(values.group));
  }
  const log = ['log-driver', 'log-opt'].some((flag) => !isDefault(settings, flag));
  if (all || log) await check(all ? '' : nameOf('log-driver'), () => tryExtensions(settings));
  return problems;
}

function isDefault({ values }: Settings, flag: string): boolean {
  const option = byFlag.get(flag);
  const value: unknown = { ...values }[flag];
  return option === undefined || JSON.stringify(value) === JSON.stringify(defaultOf(option));
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
async function tryExtensions({ values, engine }: Settings): Promise<void> {
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
      variables: { engineId: 'preflight', ...engine, ...roots },
      pluginDirectories: values['plugin-dir'],
      ...roots,
      hostPath: fileURLToPath(import.meta.resolve('@cleat/sdk/host')),
      log: silentLogger,
    });
    try {
      // What is not logged needs no driver.
      if (engine.logDriver !== 'none') await checkLogOptions(extensions, engine.logDriver, engine.logOpts);
    } finally {
      await extensions.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
