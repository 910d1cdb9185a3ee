const ask = (line: string, headers = '', body = ''): string => `${line} HTTP/1.1\r\nHost: x\r\n${headers}\r\n${body}`;

const tcp = 'Upgrade: tcp\r\nConnection: Upgrade\r\n';
const h2c = 'Upgrade: h2c\r\nConnection: Upgrade\r\n';
const webSocket =
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const chunked = 'Transfer-Encoding: chunked\r\n';
const json = 'Content-Type: application/json\r\n';
const put = 'PUT /containers/pipe/archive?path=/tmp';
const attach = 'POST /containers/pipe/attach?stream=1&stdin=1&stdout=1';

/** Requests of every kind that a connection can carry: short, endless, taken over, half sent, refused, or none at all. */
export const oneOfEach: [string, ...string[]] = [
  ask('GET /_ping'),
  ask('GET /_ping', 'Connection: close\r\n'),
  'GET /info HTTP/1.0\r\n\r\n',
  ask('GET /system/df'),
  ask('GET /containers/pipe/top'),
  ask('GET /events'),
  ask('GET /containers/pipe/logs?stdout=1&follow=1'),
  ask('GET /containers/term/stats'),
  ask('POST /containers/pipe/wait'),
  ask('GET /images/busybox/get'),
  ask('GET /containers/pipe/export'),
  ask(attach),
  ask(attach, tcp),
  ask(attach, 'Content-Length: 5\r\n', 'hello'),
  'POST /containers/term/attach?stream=1&stdout=1 HTTP/1.0\r\n\r\n',
  ask('POST /containers/nosuch/attach?stream=1'),
  ask('POST /exec/nosuch/start', `${json}Content-Length: 2\r\n`, '{}'),
  ask('GET /containers/pipe/attach/ws?stream=1&stdin=1&stdout=1', webSocket),
  ask('GET /containers/pipe/attach/ws?stream=1', 'Upgrade: websocket\r\nConnection: Upgrade\r\n'),
  ask('GET /_ping', webSocket),
  ask('GET /info', h2c),
  ask('POST /session', h2c),
  ask('POST /grpc', h2c),
  ask(put, 'Content-Length: 100000\r\n', 'x'.repeat(50)),
  ask(put, chunked, '10\r\nabc'),
  ask(put, chunked, 'ZZ\r\nabc\r\n0\r\n\r\n'),
  ask('POST /images/load', chunked, '3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n'),
  ask('POST /build', chunked),
  ask('POST /containers/create', `${json}Expect: 100-continue\r\nContent-Length: 20\r\n`),
  ask('POST /containers/create', `${json}Expect: more\r\nContent-Length: 2\r\n`, '{}'),
  ask('POST /containers/create', `Content-Length: 5\r\n${chunked}`, '0\r\n\r\n'),
  ask('POST /containers/create', 'Content-Length: -5\r\n'),
  ask('CONNECT foo:80'),
  ask('GET http://elsewhere/_ping'),
  ask('OPTIONS *'),
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
  '\x16\x03\x01\0\x05\x01\0\0\x01\0',
  ask('GET /_ping', `X: ${'a'.repeat(200_000)}\r\n`),
];
