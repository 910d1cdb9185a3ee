import { appendFileSync, createReadStream, mkdirSync } from 'node:fs';

import { join } from 'node:path';
import { type ScriptedKind, type Surroundings, text } from './kind.js';

/** Writes each container's lines to a file of its own. Open in its account: each FIFO that it was told to read. */
export function logKind({ account, directory }: Surroundings): ScriptedKind {
  const logs = join(directory, 'logs');
  mkdirSync(logs, { recursive: true });
  const session = (file: string) => `logging ${file}`;
  return {
    capability: 'LogDriver',
    errorKey: 'Err',
    methods: {
      'LogDriver.StartLogging': (request) => {
        const file = text(request, 'File');
        const { ContainerID = '' } = request.Info as { ContainerID?: string };
        account.begin(session(file));
        carry(file, join(logs, ContainerID));
        return {};
      },
      // The plugin still reads the FIFO until its end.
      'LogDriver.StopLogging': (request) => {
        account.end(session(text(request, 'File')));
        return {};
      },
      'LogDriver.Capabilities': () => ({ Cap: { ReadLogs: false } }),
    },
  };
}

function carry(fifo: string, destination: string): void {
  let held = Buffer.alloc(0);
  // Opened for reading and writing by the engine: there is a writer from the beginning.
  const stream = createReadStream(fifo, { highWaterMark: 64 * 1024 });
  stream.on('data', (chunk) => {
    held = Buffer.concat([held, chunk as Buffer]);
    let lines = '';
    while (held.length >= 4 && held.length >= 4 + held.readUInt32BE(0)) {
      const end = 4 + held.readUInt32BE(0);
      lines += `${lineOf(held.subarray(4, end))}\n`;
      held = held.subarray(end);
    }
    if (lines) appendFileSync(destination, lines);
  });
  // The engine was killed, or has made the FIFO anew: it says so by another StartLogging.
  stream.on('error', () => {});
}

/** Field 3 of an entry (moby `daemon/logger/internal/logdriver/entry.proto`). */
function lineOf(entry: Buffer): string {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = entry[at++] ?? 0;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < entry.length) {
    const tag = varint();
    if ((tag & 7) === 0) {
      varint();
      continue;
    }
    const length = varint();
    if (tag >> 3 === 3) return entry.toString('utf8', at, at + length);
    at += length;
  }
  return '';
}
