import { connect } from 'node:net';
import { GrpcClient } from '@cleat/protocol/grpc/client';
import { healthRequest, healthResponse } from '@cleat/protocol/grpc/common';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startApi, type TestApi } from '../../testing/fakes.js';
import { upgraded } from './connection.fixture.js';

/** Ways to HTTP/2 on a connection of the API. */
let api: TestApi;
const clients: GrpcClient[] = [];
beforeEach(async () => {
  api = await startApi({ builds: { buildkit: async () => undefined } });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await api[Symbol.asyncDispose]();
});

const upgrade = (path: string, headers?: Record<string, string>, body?: string) =>
  upgraded(api.socketPath, path, headers, body);

function kept(client: GrpcClient): GrpcClient {
  clients.push(client);
  return client;
}

async function upgradedClient(): Promise<GrpcClient> {
  const { socket } = await upgrade('/grpc');
  return kept(new GrpcClient(socket, silentLogger));
}

test('HTTP/2 from the first byte is served, too', async () => {
  const client = kept(new GrpcClient(connect(api.socketPath), silentLogger));
  const check = (one: GrpcClient) => one.call('/grpc.health.v1.Health/Check', [healthRequest, healthResponse], {});
  expect(await check(client)).toEqual({ status: 1 });
  expect(await check(await upgradedClient())).toEqual({ status: 1 });
});

test('a body that means nothing ends before HTTP/2 begins', async () => {
  // As dockerode asks for its session.
  const { socket } = await upgrade('/grpc', { 'Transfer-Encoding': 'chunked' }, '0\r\n\r\n');
  const client = kept(new GrpcClient(socket, silentLogger));
  expect(await client.call('/grpc.health.v1.Health/Check', [healthRequest, healthResponse], {})).toEqual({ status: 1 });
  const { head } = await upgrade('/grpc', { 'Content-Length': '70000' }, 'x'.repeat(70_000));
  expect(head).toMatch(/^HTTP\/1\.1 400 [\s\S]*has no body/);
});

test('without HTTP/2 there is nothing here', async () => {
  for (const path of ['/grpc', '/session']) {
    const { socket, head } = await upgrade(path, { Upgrade: 'other' });
    expect(head).toMatch(/^HTTP\/1\.1 404 /);
    socket.destroy();
  }
  const { head } = await upgrade('/session');
  expect(head).toMatch(/^HTTP\/1\.1 400 [\s\S]*Session-Uuid/);
});
