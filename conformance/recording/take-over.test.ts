import { existsSync, linkSync, renameSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { expect, test } from 'vitest';
import noRemove from '../../examples/no-remove/no-remove.js';
import { reach } from '../reach.js';
import { record } from './recorder.js';
import { call, Scene } from './scene.fixture.js';
import { asidePath, checkPlace, putBack, takePlace, waitingPath } from './take-over.js';

const activated = '{"Implements":["VolumeDriver"]}';

async function takenOver(scene: Scene) {
  const socket = await scene.plugin(noRemove, 'p', { root: scene.path('data') });
  let text = '';
  const write = (more: string) => {
    text += more;
  };
  const recorder = await record({ plugin: reach(asidePath(socket)), socket: waitingPath(socket), write, graceMs: 0 });
  scene.with(recorder);
  const giveBack = takePlace(socket);
  return { socket, recorder, giveBack, said: () => text };
}

const listening = async (server: Server): Promise<Server> => {
  await expect.poll(() => server.listening).toBe(true);
  return server;
};

test('a recorder takes the place of a plugin, which notices nothing, and gives it back', async () => {
  await using scene = new Scene();
  const { socket, recorder, giveBack, said } = await takenOver(scene);
  expect((await call(socket, '/Plugin.Activate')).text).toBe(activated);
  expect(said()).toContain('/Plugin.Activate');
  const before = said();
  giveBack();
  await recorder.close();
  expect((await call(socket, '/Plugin.Activate')).text).toBe(activated);
  expect(said()).toBe(before);
  expect([asidePath(socket), waitingPath(socket)].map((path) => existsSync(path))).toEqual([false, false]);
});

test('a second one is refused; after one that was killed the socket is put back', async () => {
  await using scene = new Scene();
  const { socket, recorder } = await takenOver(scene);
  await expect(putBack(socket)).rejects.toMatchObject({ class: 'Conflict' });
  // As if it were killed: nobody puts anything back.
  await recorder.close();
  await expect(call(socket, '/Plugin.Activate')).rejects.toThrow();
  expect(await putBack(socket)).toBe(true);
  expect((await call(socket, '/Plugin.Activate')).text).toBe(activated);
  expect(await putBack(socket)).toBe(false);
  // Killed between its two steps.
  linkSync(socket, asidePath(socket));
  expect(await putBack(socket)).toBe(true);
  expect(existsSync(asidePath(socket))).toBe(false);
  expect((await call(socket, '/Plugin.Activate')).text).toBe(activated);
});

test('a plugin that was started anew meanwhile keeps its place', async () => {
  await using scene = new Scene();
  const { socket, recorder, giveBack } = await takenOver(scene);
  const anew = await listening(createServer().listen(scene.path('anew')));
  renameSync(scene.path('anew'), socket);
  const { ino } = statSync(socket);
  giveBack();
  await recorder.close();
  expect(statSync(socket).ino).toBe(ino);
  expect(existsSync(asidePath(socket))).toBe(false);
  // And when the recorder was killed before that.
  const old = await listening(createServer().listen(asidePath(socket)));
  renameSync(asidePath(socket), scene.path('kept'));
  await new Promise((resolve) => old.close(resolve));
  renameSync(scene.path('kept'), asidePath(socket));
  expect(await putBack(socket)).toBe(true);
  expect(statSync(socket).ino).toBe(ino);
  await new Promise((resolve) => anew.close(resolve));
});

test('only a socket at which somebody listens has a place to take', async () => {
  await using scene = new Scene();
  await expect(checkPlace(scene.directory)).rejects.toMatchObject({ class: 'InvalidParameter' });
  const server = await listening(createServer().listen(scene.path('s')));
  renameSync(scene.path('s'), scene.path('stale'));
  await new Promise((resolve) => server.close(resolve));
  await expect(checkPlace(scene.path('stale'))).rejects.toMatchObject({ class: 'Unavailable' });
});
