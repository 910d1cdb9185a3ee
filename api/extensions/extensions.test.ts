import { request } from 'node:http';
import { expect, it } from 'vitest';
import { startApi } from '../testing/fakes.js';

const extension = (name: string, entry: string | undefined, kinds: string[]) => ({ name, entry, kinds });
const all = [
  extension('local', 'volume-local', ['VolumeDriver']),
  extension('same', 'same-volume', ['VolumeDriver']),
  extension('same', undefined, ['NetworkDriver']),
  { ...extension('me/vol:latest', undefined, ['VolumeDriver']), aliases: ['me/vol'] },
];

it('shows one by entry, name or name and kind; says what there is, and how to choose among several', async () => {
  await using server = await startApi({ extensions: { list: () => all, lines: () => [] } });
  const get = (path: string) => ask(server.socketPath, `/cleat/extensions${path}`);
  expect(await get('')).toEqual({ status: 200, body: JSON.parse(JSON.stringify(all)) });
  for (const path of ['/volume-local', '/local', '/local?kind=VolumeDriver']) {
    expect(await get(path)).toMatchObject({ status: 200, body: { entry: 'volume-local' } });
  }
  for (const name of ['me/vol', 'me/vol:latest']) {
    expect(await get(`/${encodeURIComponent(name)}`)).toMatchObject({ status: 200, body: { name: 'me/vol:latest' } });
  }
  expect(await get('/same?kind=NetworkDriver')).toMatchObject({ status: 200, body: { kinds: ['NetworkDriver'] } });
  expect(await get('/same')).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('same-volume (VolumeDriver), same (NetworkDriver)') },
  });
  expect(await get('/none')).toEqual({
    status: 404,
    body: { message: 'no extension called none (known: volume-local, same-volume, same, me/vol:latest)' },
  });
});

it('tells the lines of one after a number, by its entry or its name', async () => {
  const asked: unknown[][] = [];
  const lines = (...args: unknown[]) => {
    asked.push(args);
    return [{ number: 8 }];
  };
  await using server = await startApi({ extensions: { list: () => all, lines } });
  const get = (path: string) => ask(server.socketPath, `/cleat/extensions${path}`);
  expect(await get('/local/logs')).toEqual({ status: 200, body: [{ number: 8 }] });
  await get('/same/logs?kind=NetworkDriver&after=7');
  expect(asked).toEqual([
    ['volume-local', 0],
    ['same', 7],
  ]);
  expect(await get('/local/logs?after=x')).toMatchObject({ status: 400 });
  expect(await get('/none/logs')).toMatchObject({ status: 404 });
});

function ask(socketPath: string, path: string): Promise<{ status: number | undefined; body: unknown }> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode, body: JSON.parse(text) }));
    })
      .on('error', reject)
      .end();
  });
}
