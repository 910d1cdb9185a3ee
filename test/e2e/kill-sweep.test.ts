import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeCgroups } from '../../cli/sweep/cgroups.js';
import { subtract } from '../chaos/invariants/traces.js';
import { Random } from '../chaos/random.js';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { containerOperations } from './support/kill-sweep/containers.js';
import { otherOperations } from './support/kill-sweep/others.js';
import { playRound, removeEverything, tracesOn } from './support/kill-sweep/round.js';
import type { Operation, Stage } from './support/kill-sweep/stage.js';
import { Registry } from './support/registry.js';
import { ScriptedNetworkPlugin } from './support/scripted-network.js';
import { ScriptedVolumePlugin } from './support/scripted-volume.js';

/**
 * `kill -9` at a random moment of everything that a client may ask for, several at once. The next engine answers, has
 * what was answered, nothing that was removed, and nothing is left of it when all is removed.
 * `CLEAT_E2E_KILLS` is how often each operation is hit, `CLEAT_E2E_SEED` chooses the moments: always the same ones
 * unless it is given, so that a red run says something of the change.
 */
const kills = Number(process.env.CLEAT_E2E_KILLS ?? 1);
const seed = Number(process.env.CLEAT_E2E_SEED ?? 1);
const only = process.env.CLEAT_E2E_OPERATIONS;
const atOnce = 7;
const longestMs = 1200;

const tag = `ks${process.pid % 10_000}`;
const cgroupParent = `kill-sweep-${process.pid}`;
let engine: Engine;
let registry: Registry;
let stage: Stage;
const { ok } = clientOf(() => engine);

beforeAll(async () => {
  registry = await Registry.start();
  engine = await startEngine({ flags: [`--cgroup-parent=/${cgroupParent}`] });
  const volumeRoot = join(engine.directory, 'plugin-volumes');
  const scratch = join(engine.directory, 'tree');
  for (const directory of [volumeRoot, scratch]) mkdirSync(directory);
  for (let at = 0; at < 1500; at++) writeFileSync(join(scratch, `file-${at}`), `${at}\n`);
  const witness = { path: 'last', content: 'the last file\n' };
  writeFileSync(join(scratch, witness.path), witness.content);
  execFileSync('cp', ['--parents', '/bin/busybox', scratch]);
  const tree = execFileSync('tar', ['-C', scratch, '-cf', '-', '--sort=name', '.'], { maxBuffer: 1 << 27 });
  const remote = `${registry.host}/large:1`;
  const archivePath = join(engine.directory, 'archive.tar');
  writeFileSync(join(engine.directory, 'tree.tar'), tree);
  await ok('import', join(engine.directory, 'tree.tar'), 'loaded:1');
  await ok('save', '-o', archivePath, 'loaded:1');
  await ok('create', '--name', 'source', 'busybox', 'true');
  await ok('cp', `${scratch}/.`, 'source:/');
  await ok('commit', 'source', remote);
  await ok('rm', 'source');
  await ok('push', remote);
  await ok('rmi', remote, 'loaded:1');
  stage = {
    engine,
    remote,
    archive: readFileSync(archivePath),
    tree,
    witness,
    volumes: new ScriptedVolumePlugin(join(engine.pluginDirectory, `${tag}v.sock`), volumeRoot),
    networks: new ScriptedNetworkPlugin(join(engine.pluginDirectory, `${tag}n.sock`), `${tag}n`, engine.prefix),
    drivers: { volume: `${tag}v`, network: `${tag}n` },
  };
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await stage?.volumes[Symbol.asyncDispose]();
  await stage?.networks[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  removeCgroups([cgroupParent]);
});

/** Rounds in which each operation comes that often. */
function rounds(random: Random): Operation[][] {
  const all = [...containerOperations, ...otherOperations].filter(({ name }) => !only || name.includes(only));
  const alone = all.filter(({ alone }) => alone).map((operation) => [operation]);
  const others = all.filter(({ alone }) => !alone);
  const found: Operation[][] = [];
  for (let count = 0; count < kills; count++) {
    const shuffled = others.map((operation) => ({ operation, at: random.next() })).sort((a, b) => a.at - b.at);
    for (let at = 0; at < shuffled.length; at += atOnce) {
      found.push(shuffled.slice(at, at + atOnce).map(({ operation }) => operation));
    }
    found.push(...alone);
  }
  return found;
}

const patienceMs = 120_000 + kills * 240_000;
test(`everything, killed ${kills} times; CLEAT_E2E_SEED=${seed}`, { timeout: patienceMs }, async () => {
  const random = new Random(seed);
  const failures: string[] = [];
  // The first use makes things that stay: they are no trace of a kill.
  await ok('run', '-d', '--name', 'first', '-v', '/d', 'busybox', 'sleep', '1000');
  await ok('exec', 'first', 'true');
  await ok('rm', '-fv', 'first');
  await ok('network', 'create', 'first');
  await ok('network', 'rm', 'first');
  await expect.poll(() => existsSync(join(engine.execRoot, 'names.sock'))).toBe(true);
  await ok('builder', 'prune', '-f');
  let before = tracesOn(stage, cgroupParent);
  const left = (): string => subtract(tracesOn(stage, cgroupParent), before).join('\n');
  for (const [at, operations] of rounds(random).entries()) {
    // Short ones more often: much happens in the beginning.
    const delayMs = Math.floor(random.next() ** 2 * longestMs);
    const what = `round ${at}, killed after ${delayMs} ms, of ${operations.map(({ name }) => name).join('; ')}`;
    const logged = engine.log().length;
    try {
      await playRound(stage, operations, delayMs);
      await removeEverything(stage);
      // As a text: all of it is shown when it is not empty.
      await expect.poll(left).toBe('');
    } catch (error) {
      failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      if (process.env.CLEAT_E2E_VERBOSE) console.error(failures.at(-1), engine.log().slice(logged));
      await removeEverything(stage).catch(() => {});
      stage.networks.held.clear();
      stage.volumes.held.clear();
      stage.volumes.volumes.clear();
      before = tracesOn(stage, cgroupParent);
    }
  }
  expect(failures).toEqual([]);
});
