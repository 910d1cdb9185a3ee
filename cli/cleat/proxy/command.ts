import { existsSync } from 'node:fs';
import { isRecord } from '@cleat/protocol/json-text';
import { readConfigFile } from '../../cleatd/options/file.js';
import { parseFlags, UsageError } from '../../cleatd/options/parse.js';
import { type Settings, settingsOf } from '../../cleatd/settings.js';
import { defaults, shared } from './options.js';
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
  const upstreamText = own.get('upstream') ?? 'unix:///var/run/docker.sock';
  const settings: ProxySettings = {
    upstream: parseUpstream(upstreamText),
    upstreamText,
    unknownRoutes: choice(own.get('unknown-routes') ?? 'auto'),
    load: () => load(flags),
  };
  const { runProxy } = await import('./daemon.js');
  return await runProxy(settings, await settings.load());
}

/** The proxy's own flags apart from those that it shares with the daemon. */
function split(args: readonly string[]): { own: ReadonlyMap<string, string>; rest: string[] } {
  const own = new Map<string, string>();
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [, flag, value] = /^--(upstream|unknown-routes)(?:=(.*))?$/s.exec(args[i] ?? '') ?? [];
    if (flag === undefined) {
      rest.push(args[i] ?? '');
      continue;
    }
    const given = value ?? args[++i];
    if (given === undefined) throw new UsageError(`flag needs an argument: --${flag}`);
    own.set(flag, given);
  }
  return { own, rest };
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
