import type { IncomingMessage, ServerResponse } from 'node:http';

/** How a plugin can answer wrongly. Each is something that a plugin in the field has done, or an attacker would. */
export const manners = {
  hang: 'accepts and does not answer',
  slow: 'answers late',
  error: 'answers 500 with an error in JSON',
  crash: 'answers 500 with plain text',
  reset: 'resets the connection instead of an answer',
  half: 'breaks off in the middle of its answer',
  truncated: 'answers with JSON that is cut off',
  garbage: 'answers with something that is no JSON',
  array: 'answers with JSON of another shape',
  types: 'answers with members of wrong types',
  wire: 'answers with something that is no HTTP',
  flood: 'answers without end',
  elsewhere: 'answers with a mount point that leads elsewhere',
} as const;

export type Manner = keyof typeof manners;

export interface Misbehaviour {
  /** `VolumeDriver.Mount`, or `*`. */
  method: string;
  manner: Manner;
  /** Whether the plugin does what was asked all the same, so that only the answer is wrong. */
  performs: boolean;
}

const slowMs = 250;
const floodChunk = Buffer.alloc(256 * 1024, 'x');

/**
 * Answers wrongly.
 * @param answer what a well-behaved plugin would have said
 * @param lifted settles when the plugin is to behave again
 */
export async function misbehave(
  manner: Manner,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  answer: () => Answer,
  lifted: Promise<void>,
): Promise<void> {
  const { socket } = request;
  switch (manner) {
    case 'hang':
      await lifted;
      // A caller that gave up meanwhile must not find the work done later.
      if (!response.destroyed) send(response, answer());
      return;
    case 'slow':
      await new Promise((resolve) => setTimeout(resolve, slowMs));
      send(response, answer());
      return;
    case 'error':
      send(response, {
        status: 500,
        text: JSON.stringify({ Err: 'the back end is out of order', Error: 'the back end is out of order' }),
      });
      return;
    case 'crash':
      send(response, { status: 500, text: 'panic: runtime error: index out of range' });
      return;
    case 'reset':
      socket.resetAndDestroy();
      return;
    case 'half':
      socket.end('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{"Mountpoint": "/');
      return;
    case 'truncated':
      send(response, { status: 200, text: '{"Mountpoint": "/srv", "Volume": {"Name": "' });
      return;
    case 'garbage':
      send(response, { status: 200, text: '<html><body>It works!</body></html>' });
      return;
    case 'array':
      send(response, { status: 200, text: '[{"Mountpoint": "/"}]' });
      return;
    case 'types':
      send(response, { status: 200, text: JSON.stringify(wrongTypes) });
      return;
    case 'wire':
      socket.end('SSH-2.0-OpenSSH_9.2p1\r\n');
      return;
    case 'flood':
      flood(response);
      return;
    case 'elsewhere': {
      const { status, text } = answer();
      send(response, { status, text: text.replace(/"Mountpoint":"[^"]*"/g, '"Mountpoint":"/../../"') });
      return;
    }
  }
}

/** Every member of every kind's answers, as something else. */
const wrongTypes = {
  Mountpoint: 42,
  Volume: 'none',
  Volumes: { first: true },
  Capabilities: [],
  Cap: 'yes',
  Allow: 'true',
  InterfaceName: 7,
  Interface: 'eth0',
  Gateway: ['10.0.0.1'],
  PoolID: { id: 1 },
  Pool: 10,
  Address: false,
  LocalDefaultAddressSpace: 1,
  Scope: { local: true },
  Implements: 'everything',
};

export interface Answer {
  status: number;
  text: string;
}

export function send(response: ServerResponse, { status, text }: Answer): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'Content-Type': 'application/vnd.docker.plugins.v1.2+json' });
  response.end(text);
}

function flood(response: ServerResponse): void {
  const more = () => {
    while (!response.destroyed && response.write(floodChunk));
  };
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.on('drain', more);
  more();
}
