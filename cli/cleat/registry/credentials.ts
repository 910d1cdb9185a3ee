import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { RegistryAuth } from '@cleat/protocol/api/image';
import { messageOf, unauthorized } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';

/** The docker CLI's key for Docker's own registry. */
const dockersServer = 'https://index.docker.io/v1/';

/**
 * The credentials of `docker login` for a registry: from the docker CLI's `config.json`, or its credential helper.
 * @returns undefined where nobody logged in. @throws Unauthorized when a helper fails
 */
export async function credentialsFor(domain: string, env = process.env): Promise<RegistryAuth | undefined> {
  const path = join(env.DOCKER_CONFIG || join(homedir(), '.docker'), 'config.json');
  if (!existsSync(path)) return undefined;
  const config = readConfig(path);
  const server = domain === 'docker.io' ? dockersServer : domain;
  const helpers = isRecord(config.credHelpers) ? config.credHelpers : {};
  const helper = helpers[server] ?? config.credsStore;
  if (typeof helper === 'string' && helper !== '') return await fromHelper(helper, server);
  const auths = isRecord(config.auths) ? config.auths : {};
  const own = Object.entries(auths).find(([key]) => key === server || key.replace(/^https?:\/\//, '') === server)?.[1];
  return isRecord(own) ? fromFile(own) : undefined;
}

function readConfig(path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isRecord(value) ? value : {};
  } catch (error) {
    process.stderr.write(`WARNING: Error parsing config file (${path}: ${messageOf(error)})\n`);
    return {};
  }
}

function fromFile({ auth, identitytoken }: Record<string, unknown>): RegistryAuth | undefined {
  if (typeof auth !== 'string') return undefined;
  const [, username = '', password = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(auth, 'base64').toString()) ?? [];
  if (username === '') return undefined;
  return { username, password, ...(typeof identitytoken === 'string' && { identitytoken }) };
}

const helperMs = 60_000;

/** The protocol of docker-credential-helpers: a server on stdin, JSON on stdout. */
async function fromHelper(helper: string, server: string): Promise<RegistryAuth | undefined> {
  const { code, out } = await new Promise<{ code: number | null; out: string }>((resolve, reject) => {
    const stdio: ['pipe', 'pipe', 'inherit'] = ['pipe', 'pipe', 'inherit'];
    const child = spawn(`docker-credential-${helper}`, ['get'], { stdio, timeout: helperMs });
    const parts: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => parts.push(part));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out: Buffer.concat(parts).toString() }));
    child.stdin.on('error', () => {});
    child.stdin.end(server);
  }).catch((cause: unknown) => {
    throw unauthorized(`docker-credential-${helper} cannot be run: ${messageOf(cause)}`, { cause });
  });
  if (/credentials not found/i.test(out)) return undefined;
  if (code !== 0) throw unauthorized(`docker-credential-${helper} failed: ${out.trim()}`);
  const value: unknown = JSON.parse(out);
  if (!isRecord(value) || typeof value.Username !== 'string' || typeof value.Secret !== 'string') return undefined;
  return value.Username === '<token>'
    ? { identitytoken: value.Secret }
    : { username: value.Username, password: value.Secret };
}
