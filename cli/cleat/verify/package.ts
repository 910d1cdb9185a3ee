import { createReadStream, existsSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { verifyCommand, verifyOptions } from '@cleat/conformance/command';
import { invalidParameter, messageOf, unavailable } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { isRecord } from '@cleat/protocol/json';
import { ask } from '../engine/ask.js';
import { type Endpoint, resolveEndpoint } from '../engine/endpoint.js';
import { engineOptions } from '../engine/options.js';

const options = { ...verifyOptions, host: engineOptions.host };

/** Whether the plugin on a command line of `cleat verify` is a package: what `cleat package --output NAME.tar` writes. */
export function isPackage(args: string[]): boolean {
  const { positionals } = parseArgs({ args, options, allowPositionals: true, strict: false });
  return positionals.length === 1 && (positionals[0]?.endsWith('.tar') ?? false);
}

/** Starting takes as long as the plugin; unpacking, as its size. */
const minutes = 60_000;

/**
 * Verifies a package in the sandbox that people's engines run it in: an engine of this host makes a plugin of it, with all
 * that it asks for, under a name of its own, and removes it in the end.
 * @returns the exit status of {@link verifyCommand}
 */
export async function verifyPackage(args: string[]): Promise<number> {
  const { values, tokens, positionals } = parseArgs({ args, options, allowPositionals: true, tokens: true });
  const [file = ''] = positionals;
  if (!existsSync(file)) throw invalidParameter(`${file} does not exist`);
  if (values.start !== undefined) throw invalidParameter('--start is for a plugin that is no package');
  const endpoint = resolveEndpoint(values);
  if (endpoint.kind !== 'unix') throw invalidParameter('a package is verified by an engine of this host');
  const name = `cleat-verify/${basename(file, '.tar')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')}-${process.pid}:latest`;
  const path = `/plugins/${name}`;
  try {
    const body = { stream: owned(createReadStream(file)), type: 'application/x-tar' };
    await ask(endpoint, `/plugins/create?name=${encodeURIComponent(name)}`, {
      method: 'POST',
      body,
      deadlineMs: 5 * minutes,
    });
    await ask(endpoint, `${path}/enable?timeout=30`, { method: 'POST', deadlineMs: 2 * minutes });
    const socket = await socketOf(endpoint, name);
    // Paths in its answers are those of its sandbox, not of this host.
    const own = tokens.flatMap((token) => (token.kind === 'option' && isOwn(token.name) ? [given(token)] : []));
    return await verifyCommand([socket, '--elsewhere', ...own]);
  } finally {
    await ask(endpoint, `${path}?force=1`, { method: 'DELETE', deadlineMs: minutes }).catch((error: unknown) => {
      process.stderr.write(`cleat verify: ${name} could not be removed: ${messageOf(error)}\n`);
    });
  }
}

const isOwn = (name: string): boolean => Object.hasOwn(verifyOptions, name) && name !== 'elsewhere';

const given = ({ name, value }: { name: string; value?: string | undefined }): string =>
  value === undefined ? `--${name}` : `--${name}=${value}`;

/** The plugin's socket as this host reaches it: by the process that runs in the sandbox. */
async function socketOf(endpoint: Endpoint, name: string): Promise<string> {
  const plugin = await ask(endpoint, `/plugins/${name}/json`);
  const extension = await ask(endpoint, `/cleat/extensions/${encodeURIComponent(name)}`);
  const config = isRecord(plugin) && isRecord(plugin.Config) ? plugin.Config : {};
  const socket = isRecord(config.Interface) ? config.Interface.Socket : undefined;
  const pid = isRecord(extension) && isRecord(extension.process) ? extension.process.pid : undefined;
  if (typeof socket !== 'string' || typeof pid !== 'number') throw unavailable(`${name} does not run`);
  return `/proc/${pid}/root/run/docker/plugins/${socket}`;
}
