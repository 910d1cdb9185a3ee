import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { UpstreamTls } from '@cleat/api/proxy/index';
import { messageOf } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json-text';
import { readConfigFile } from '../../cleatd/options/file.js';
import { parseFlags, UsageError } from '../../cleatd/options/parse.js';
import { type Settings, settingsOf } from '../../cleatd/settings.js';
import { ownTls } from '../engine/endpoint.js';
import { defaults, ownOptions, shared } from './options.js';
import { type ProxySettings, parseUpstream, type UnknownRoutes } from './settings.js';

const unknownRoutes: readonly UnknownRoutes[] = ['auto', 'pass', 'refuse'];

/**
 * `cleat proxy`: the engine's front, hooks, authorizers and journal, in front of another engine. Runs until it is told to
 * stop.
 * @throws UsageError, CleatError
 */
export async function proxyCommand(args: string[]): Promise<number> {
  const { own, rest } = split(args);
  const flags = parseFlags(rest);
  for (const flag of flags.keys()) refuseForeign(flag, `--${flag}`);
  const upstreamText = own.upstream ?? 'unix:///var/run/docker.sock';
  const tls = upstreamTls(own);
  const settings: ProxySettings = {
    upstream: parseUpstream(upstreamText, tls),
    upstreamText,
    unknownRoutes: choice(own['unknown-routes'] ?? 'auto'),
    load: () => load(flags),
    renewTls: () => tls && Object.assign(tls, upstreamTls(own)),
  };
  const { runProxy } = await import('./daemon.js');
  return await runProxy(settings, await settings.load());
}

type Own = ReturnType<typeof parseArgs<{ options: typeof ownOptions }>>['values'];

/** The proxy's own flags apart from those that it shares with the daemon. */
function split(args: readonly string[]): { own: Own; rest: string[] } {
  const mine: string[] = [];
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    const [, flag = '', value] = /^--([\w-]+)(=.*)?$/s.exec(arg) ?? [];
    const option = Object.entries(ownOptions).find(([name]) => name === flag)?.[1];
    if (!option) rest.push(arg);
    else if (option.type === 'boolean') mine.push(...switched(flag, value?.slice(1)));
    else if (value !== undefined) mine.push(arg);
    else if (args[++i] === undefined) throw new UsageError(`flag needs an argument: --${flag}`);
    else mine.push(`${arg}=${args[i]}`);
  }
  return { own: parseArgs({ args: mine, options: ownOptions }).values, rest };
}

function switched(flag: string, value = 'true'): string[] {
  if (value === 'true') return [`--${flag}`];
  if (value === 'false') return [];
  throw new UsageError(`invalid argument "${value}" for "--${flag}" flag: use true or false`);
}

/** Its own flags alone decide: DOCKER_TLS_VERIFY is about the address on which the proxy listens, as for the daemon. */
function upstreamTls(own: Own): UpstreamTls | undefined {
  const options = {
    tls: own['upstream-tls'],
    tlsverify: own['upstream-tlsverify'] ?? false,
    tlscacert: own['upstream-tlscacert'],
    tlscert: own['upstream-tlscert'],
    tlskey: own['upstream-tlskey'],
  };
  const env = { DOCKER_CERT_PATH: process.env.DOCKER_CERT_PATH };
  try {
    return ownTls(options, env, join(homedir(), '.docker'));
  } catch (error) {
    throw new UsageError(`the upstream: ${messageOf(error)}`);
  }
}

function choice(text: string): UnknownRoutes {
  const found = unknownRoutes.find((one) => one === text);
  if (found) return found;
  throw new UsageError(`invalid argument "${text}" for "--unknown-routes" flag: use ${unknownRoutes.join(', ')}`);
}

function refuseForeign(flag: string, written: string): void {
  if (shared.some((one) => one === flag)) return;
  throw new UsageError(
    `${written} is an option of the engine: the proxy has ${shared.map((one) => `--${one}`).join(', ')}`,
  );
}

/** Flags, file and defaults, as for the daemon. @throws UsageError */
async function load(flags: ReadonlyMap<string, unknown>): Promise<Settings> {
  const named = flags.get('config-file');
  const path = String(named ?? defaults['config-file']);
  const isThere = named !== undefined || existsSync(path);
  const file = isThere ? await readConfigFile(path, flags, true) : undefined;
  for (const [flag, key] of file?.keys ?? []) refuseForeign(flag, `"${key}" in ${path}`);
  const set = new Map([...Object.entries(defaults), ...flags, ...(file?.set ?? [])]);
  const host = set.get('host');
  if (!Array.isArray(host) || host.length === 0) {
    throw new UsageError(
      'the proxy needs an address of its own: name one with -H, such as -H unix:///run/docker-guarded.sock',
    );
  }
  if (isRecord(set.get('extension')) === false && set.has('extension'))
    throw new UsageError('extensions: expected an object');
  return settingsOf(set, (flag) => file?.keys.get(flag) ?? `--${flag}`);
}
