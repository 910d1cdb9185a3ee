import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { clientOf } from '../support/client.js';
import { type Engine, startEngine } from '../support/engine.js';

/** One engine with the default builder. */
export let engine: Engine;
/** A directory for the tests of a file. */
export let place: string;
/** The context of a test, empty at first. */
export let context: string;
export const { ok } = clientOf(() => engine);
const classic = { DOCKER_BUILDKIT: '0' };

/** For the tests of a file. */
export function benchForTests(): void {
  beforeAll(async () => {
    engine = await startEngine();
    place = mkdtempSync('/tmp/cleat-e2e-dockerfile-');
  });
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
    rmSync(place, { recursive: true, force: true });
  });
  beforeEach(() => {
    context = mkdtempSync(join(place, 'context-'));
  });
}

export function put(files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(context, name, '..'), { recursive: true });
    writeFileSync(join(context, name), content);
  }
}

export async function build(text: string, ...args: string[]) {
  writeFileSync(join(context, 'Dockerfile'), text);
  return await engine.docker('build', ...args, context, { env: classic, timeoutMs: 240_000 });
}

/** The ID of the image. */
export async function built(text: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await build(text, '-q', ...args);
  expect({ code, said: code === 0 ? '' : stderr }).toEqual({ code: 0, said: '' });
  return stdout.trim();
}

/** Lines that a command prints in a container of the image. */
export async function inside(image: string, command: string): Promise<string[]> {
  return (await ok('run', '--rm', '--entrypoint', 'sh', '--user', '0', image, '-c', command)).split('\n');
}
