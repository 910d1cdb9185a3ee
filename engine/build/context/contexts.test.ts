import { mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Helper } from '@cleat/linux/helper/helper';
import { silentLogger } from '@cleat/protocol/log';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { Contexts } from './contexts.js';

const helper = new Helper();
afterAll(() => helper.close());

let root: string;
let contexts: Contexts;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cleat-contexts-'));
  contexts = new Contexts({ root, helper, log: silentLogger });
  contexts.makePlaces();
});
afterEach(async () => {
  await contexts.close();
  await rm(root, { recursive: true });
});

test('many builds that end at once leave as many kept directories as there may be', async () => {
  const kept = await Promise.all(Array.from({ length: 40 }, (_, at) => contexts.kept(`${at}`)));
  const used = contexts.usage();
  await Promise.all(kept.map((context) => context[Symbol.asyncDispose]()));
  await used;
  expect(readdirSync(join(root, 'kept')).length).toBe(16);
  expect((await contexts.usage()).every(({ inUse }) => !inUse)).toBe(true);
});
