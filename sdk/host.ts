#!/usr/bin/env node
import { pathToFileURL } from 'node:url';
import { messageOf } from '@cleat/protocol/errors';
import type { ExtensionModule } from '@cleat/protocol/extension';
import { modules } from '@cleat/protocol/modules';
import { jsonLogger } from './log.js';
import { serveUntilSignal } from './run.js';
import { serve } from './serve.js';

/**
 * Runs one extension as a process of its own, for the engine's supervisor: `node host.js MODULE SOCKET`, with
 * `CLEAT_EXTENSION={"name":…,"options":{…}}` in the environment.
 */
const [, , modulePath, socket] = process.argv;
const log = jsonLogger(process.stdout);
void main();

async function main(): Promise<void> {
  try {
    if (!modulePath || !socket) throw new Error('usage: host MODULE SOCKET');
    const settings = JSON.parse(process.env.CLEAT_EXTENSION ?? '') as {
      name: string;
      options: Record<string, unknown>;
    };
    // Options may hold secrets; what the extension starts itself has no business with them.
    delete process.env.CLEAT_EXTENSION;
    const load = modules.get(modulePath) ?? (() => import(pathToFileURL(modulePath).href));
    const loaded = (await load()) as { default?: ExtensionModule };
    const module = loaded.default;
    if (typeof module?.start !== 'function') throw new Error(`${modulePath} has no extension as its default export`);
    // The engine that calls keeps a log of its calls.
    await serveUntilSignal(() => serve(module, { ...settings, socket, log, logCalls: false }));
  } catch (error) {
    log.error('the extension cannot be served', { error: messageOf(error) });
    process.exitCode = 1;
  }
}
