import { kinds } from '@cleat/protocol/kinds/index';
import { describe, expect, test } from 'vitest';
import { replay } from './replay.js';
import { call, Scene } from './scene.fixture.js';
import type { Script } from './script-of-kind.fixture.js';
import { standIn } from './stand-in.js';

/** The calls to an extension of each kind are recorded, asked again, and answered in its stead. */
const id = 'ab'.repeat(32);

describe.each(kinds)('$label', async (kind) => {
  const { script } = (await import(`../kinds/${kind.label}/script.fixture.ts`)) as { script: Script };
  const prefix = 'prefix' in kind ? kind.prefix : kind.name;

  /** Asks all of it, as an engine that has `id`; @returns the statuses. */
  async function askAll(socket: string, engineId: string): Promise<number[]> {
    const statuses = [(await call(socket, '/Plugin.Activate', '')).status];
    let pool = '';
    for (const [method, body] of script.asks(engineId)) {
      const { status, text } = await call(socket, `/${prefix}.${method}`, JSON.stringify(body).replace('<pool>', pool));
      statuses.push(status);
      pool = /"PoolID":"([^"]+)"/.exec(text)?.[1] ?? pool;
    }
    return statuses;
  }

  test.each(['recorded, and asked of another one', 'recorded, and answered to another engine'])('%s', async (what) => {
    await using scene = new Scene();
    const recorder = await scene.recorder(await scene.plugin(script.module(), 'one'));
    const statuses = await askAll(recorder.socket, id);
    await recorder.done();
    if (what.endsWith('one')) {
      const another = await scene.plugin(script.module(), 'another');
      expect((await replay(recorder.recording, another)).differences).toEqual([]);
      return;
    }
    const socket = scene.path('stand-in.sock');
    const one = await standIn({ recording: recorder.recording, socket });
    scene.with(one);
    expect(await askAll(socket, 'cd'.repeat(32))).toEqual(statuses);
    expect([...one.strange, ...one.neverAsked]).toEqual([]);
  });
});
