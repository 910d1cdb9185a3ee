import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { messageOf } from '@cleat/protocol/errors';
import { parseMetricsAddress } from './metrics/address.js';
import type { Settings } from './settings.js';

/** File systems of the kernel's, in which nothing can be made; `mkdir -p` of Node.js never returns there. */
const kernelFileSystems: ReadonlySet<number> = new Set([0x9fa0, 0x62656572, 0x27e0eb, 0x63677270]);

/**
 * Checks that everything that the daemon makes on this host can be made where it should be.
 * @returns a sentence for each that cannot
 */
export function placeProblems({ values, engine, hosts }: Settings): string[] {
  const problems: string[] = [];
  for (const root of [engine.dataRoot, engine.execRoot]) {
    const why = whyNoDirectory(root);
    if (why !== undefined) problems.push(`cannot use ${root}: ${why}`);
  }
  const { pidfile } = values;
  const noPidFile = isDirectory(pidfile) ? 'it is a directory' : whyNoDirectory(dirname(pidfile));
  if (noPidFile !== undefined) problems.push(`cannot write the PID file ${pidfile}: ${noPidFile}`);
  for (const host of hosts) {
    if (host.kind !== 'unix') continue;
    const there = existsSync(host.path) && !statSync(host.path).isSocket();
    const why = there ? 'it exists and is not a socket' : whyNoDirectory(dirname(host.path));
    if (why !== undefined) problems.push(`cannot listen on ${host.path}: ${why}`);
  }
  for (const directory of values['plugin-dir']) {
    if (existsSync(directory) && !isDirectory(directory))
      problems.push(`plugins cannot be in ${directory}: it is no directory`);
  }
  return problems;
}

/** The default bridge's device is the engine's, or one that the operator made. */
export function bridgeProblem({ engine: { bridge } }: Settings): string | undefined {
  const device = `/sys/class/net/${bridge}`;
  if (bridge === 'none' || !existsSync(device) || existsSync(`${device}/bridge`)) return undefined;
  return `device ${bridge} exists already and is not a bridge: choose another name`;
}

/** Whether the addresses are this host's. The ports may be in use, by the engine whose configuration is validated. */
export async function addressProblems({ values, hosts }: Settings): Promise<string[]> {
  const wanted = hosts.flatMap((one) => (one.kind === 'tcp' ? [{ text: one.text, host: one.host }] : []));
  const metrics = values['metrics-addr'];
  if (metrics !== '') wanted.push({ text: metrics, host: parseMetricsAddress(metrics).host ?? '' });
  const problems: string[] = [];
  for (const { text, host } of wanted) {
    const why = await whyNotOurs(host);
    if (why !== undefined) problems.push(`cannot listen on ${text}: ${why}`);
  }
  return problems;
}

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Why a directory cannot be made there, or nothing in it. */
function whyNoDirectory(path: string): string | undefined {
  let nearest = path;
  try {
    while (statSync(nearest, { throwIfNoEntry: false }) === undefined && nearest !== '/') nearest = dirname(nearest);
    if (!isDirectory(nearest)) return `${nearest} is no directory`;
    if (kernelFileSystems.has(statfsSync(nearest).type)) return `nothing can be made in ${nearest}`;
    accessSync(nearest, constants.W_OK);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function whyNotOurs(host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error) => resolve(messageOf(error)));
    probe.listen({ port: 0, ...(host === '' ? {} : { host }) }, () => probe.close(() => resolve(undefined)));
  });
}
