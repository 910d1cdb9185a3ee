import { readFile } from 'node:fs/promises';
import { encodeLogEntry } from '@cleat/protocol/log-entry';
import { implement, logKind } from '@cleat/sdk';
import { of, type Script } from '../../recording/script-of-kind.fixture.js';

/** Makes things anew each time; IDs are the engine's. */
export const script: Script = {
  module: () => {
    const read = new Map<string, Promise<unknown>>();
    return of(
      implement(logKind, {
        Capabilities: () => ({ Cap: { ReadLogs: true } }),
        StartLogging({ File }) {
          // There is none when it is recorded.
          read.set(
            File,
            readFile(File, 'utf8').catch(() => ''),
          );
        },
        async StopLogging({ File }) {
          // The end of the FIFO comes, or nobody would be answered.
          if ((await read.get(File)) !== '') throw new Error('something was printed');
        },
        async *ReadLogs() {
          const timeNano = BigInt(Date.now()) * 1_000_000n + 1n;
          yield encodeLogEntry({ source: 'stdout', timeNano, line: Buffer.from('hello'), partial: false });
        },
      }),
    );
  },
  asks: (ContainerID) => [
    ['Capabilities', {}],
    ['ReadLogs', { Info: { ContainerID, ContainerName: '/c' }, Config: { Tail: -1 } }],
    ['StartLogging', { File: `/nowhere/${ContainerID}`, Info: { ContainerID, ContainerName: '/c' } }],
    ['StopLogging', { File: `/nowhere/${ContainerID}` }],
  ],
};
