import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { clientOf } from './client.js';
import { checkout, commandsOf } from './documents.js';
import type { Engine } from './engine.js';
import { Program } from './program.js';
import { runShell } from './shell.js';

/** Programs beside an engine for tests of documents: its client, its shell, and the plugins that it finds. */
export function programsBeside(engine: () => Engine) {
  const socketOf = (name: string): string => join(engine().pluginDirectory, `${name}.sock`);
  return {
    ...clientOf(engine),
    socketOf,
    /** Runs lines that a document shows. @returns all that was printed */
    run: (text: string, env: NodeJS.ProcessEnv = {}): Promise<string> =>
      runShell(text, engine().directory, { DOCKER_HOST: `unix://${engine().socket}`, ...env }),
    /** A plugin that was compiled, once it listens. */
    async startPlugin(main: string, name: string, ...args: string[]): Promise<Program> {
      const program = new Program(process.execPath, [main, '--socket', socketOf(name), ...args]);
      await program.made(socketOf(name));
      return program;
    },
    /** The one program that a document starts, once it listens. */
    async startShown(text: string, name: string): Promise<Program> {
      const [command = '', ...more] = commandsOf(text);
      expect(more).toEqual([]);
      const [program = '', main = '', ...args] = command.split(' ');
      const socket = args.includes('--socket') ? [] : ['--socket', socketOf(name)];
      const started = new Program(program, [join(checkout, main), ...args, ...socket]);
      await started.made(socketOf(name));
      return started;
    },
  };
}

/**
 * Compiles what documents show, as strictly as the checkout itself, in a package of its own that depends on the SDK.
 * @param directory is made
 * @param files texts by name
 * @returns where the JavaScript is
 */
export async function compileShown(directory: string, files: Readonly<Record<string, string>>): Promise<string> {
  mkdirSync(directory);
  symlinkSync(join(checkout, 'node_modules'), join(directory, 'node_modules'));
  const compilerOptions = { composite: false, declaration: false, noUnusedParameters: false, noUnusedLocals: false };
  const all = {
    ...files,
    'package.json': '{ "type": "module" }',
    'tsconfig.json': JSON.stringify({ extends: join(checkout, 'tsconfig.base.json'), compilerOptions }),
  };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(directory, name), text);
  await promisify(execFile)(join(checkout, 'node_modules/.bin/tsc'), ['-p', directory]).catch(
    ({ stdout }: { stdout: string }) => {
      throw new Error(`what the documents show does not compile:\n${stdout}`);
    },
  );
  return directory;
}
