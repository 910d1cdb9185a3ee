import { expect, test } from 'vitest';
import { describeLink } from './environment.js';

const link = { name: '/web/my-db', alias: 'my-db', address: '172.17.0.2', env: [], ports: [] };

test('a container’s ports, name and environment, as a stock engine tells them', () => {
  const lines = describeLink({
    ...link,
    env: ['FOO=a=b', 'HOME=/root', 'PATH=/bin', 'EMPTY=', 'odd'],
    ports: ['90/udp', '8080/tcp'],
  });
  expect(lines).toEqual([
    'MY_DB_PORT=tcp://172.17.0.2:8080',
    'MY_DB_PORT_8080_TCP=tcp://172.17.0.2:8080',
    'MY_DB_PORT_8080_TCP_ADDR=172.17.0.2',
    'MY_DB_PORT_8080_TCP_PORT=8080',
    'MY_DB_PORT_8080_TCP_PROTO=tcp',
    'MY_DB_PORT_90_UDP=udp://172.17.0.2:90',
    'MY_DB_PORT_90_UDP_ADDR=172.17.0.2',
    'MY_DB_PORT_90_UDP_PORT=90',
    'MY_DB_PORT_90_UDP_PROTO=udp',
    'MY_DB_NAME=/web/my-db',
    'MY_DB_ENV_FOO=a=b',
    'MY_DB_ENV_EMPTY=',
  ]);
});

test('neighbouring ports are told as a range, too', () => {
  const ports = ['82/tcp', '80/tcp', '81/tcp', '81/udp'];
  expect(describeLink({ ...link, ports }).filter((line) => /START|END/.test(line))).toEqual([
    'MY_DB_PORT_80_TCP_START=tcp://172.17.0.2:80',
    'MY_DB_PORT_80_TCP_PORT_START=80',
    'MY_DB_PORT_80_TCP_END=tcp://172.17.0.2:82',
    'MY_DB_PORT_80_TCP_PORT_END=82',
  ]);
  expect(describeLink(link)).toEqual(['MY_DB_NAME=/web/my-db']);
});
