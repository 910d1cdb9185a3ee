import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { decode, parseJson, type TSchema } from '../json.js';
import {
  CommitRequest,
  ContainerCreateRequest,
  ContainerStartRequest,
  ContainerUpdateRequest,
  ExecCreateRequest,
  ExecStartRequest,
} from './container.js';
import { AuthConfig } from './image.js';
import { NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest } from './network.js';
import { VolumeCreateRequest } from './volume.js';

const schemas = new Map<string, TSchema>([
  ['create', ContainerCreateRequest],
  ['update', ContainerUpdateRequest],
  ['exec', ExecCreateRequest],
  ['execstart', ExecStartRequest],
  ['netcreate', NetworkCreateRequest],
  ['connect', NetworkConnectRequest],
  ['disconnect', NetworkDisconnectRequest],
  ['volcreate', VolumeCreateRequest],
  ['commit', CommitRequest],
  ['auth', AuthConfig],
]);

const complaint = (schema: TSchema | undefined, body: string): string => {
  try {
    decode(schema ?? {}, parseJson(body, { written: true }));
    return 'accepted';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

it('says of every member that has the wrong type what a stock engine says', () => {
  const rows = readFileSync(new URL('stock-mismatches.tsv', import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.split('\t'));
  expect(rows.length).toBeGreaterThan(400);
  expect(rows.map(([route = '', body = '']) => [route, body, complaint(schemas.get(route), body)])).toEqual(rows);
});

it('reads the body of an old start as that of create', () => {
  expect(complaint(ContainerStartRequest, '{"Memory":"x"}')).toBe(
    'json: cannot unmarshal string into Go struct field ContainerConfigWrapper.HostConfig.Resources.Memory of type int64',
  );
});

it('takes a string for a list where Go has a strslice', () => {
  expect(decode(ContainerCreateRequest, parseJson('{"Shell":"sh","Cmd":[null,"a"]}'))).toEqual({
    Shell: ['sh'],
    Cmd: ['', 'a'],
  });
});
