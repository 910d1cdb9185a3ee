import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { ExtensionStatus, Extensions } from '@cleat/extensions/service';
import { conflict, unavailable } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import type { LogEntry } from '@cleat/protocol/log-entry';
import { LogEntryDecoder } from '@cleat/protocol/log-entry-decoder';
import type { LogsConfig } from '../../config.js';
import { openOutbox } from '../../outbox/index.js';
import { memoryStore } from '../../store/memory.fixture.js';
import { openSpool, type Spool } from '../index.js';

/** A log driver that keeps what it gets, and can be made to misbehave. */
export class FakeDriver {
  readonly entries: LogEntry[] = [];
  readonly calls: string[] = [];
  reads = true;
  refuses: string | undefined;
  /** As an extension that does not answer. */
  away = false;
  readonly listeners = new Set<(status: ExtensionStatus) => void>();
  readonly #sockets = new Map<string, Socket>();

  readonly client = {
    StartLogging: async ({ File }: { File: string }) => {
      if (this.away) throw unavailable('it is away');
      this.calls.push('start');
      if (this.refuses) throw conflict(this.refuses);
      if (this.reads) this.read(File);
      return {};
    },
    StopLogging: async () => {
      if (this.away) throw unavailable('it is away');
      this.calls.push('stop');
      return {};
    },
  };

  read(path: string): void {
    const decoder = new LogEntryDecoder();
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const socket = new Socket({ fd, readable: true, writable: false });
    socket.on('data', (chunk) => {
      for (const entry of decoder.push(chunk)) this.entries.push({ ...entry, line: Buffer.from(entry.line) });
      if (this.slowMs === 0) return;
      socket.pause();
      setTimeout(() => socket.resume(), this.slowMs);
    });
    this.#sockets.set(path, socket);
  }

  /** As the registry tells of an extension that was away. */
  comeBack(): void {
    for (const state of ['unreachable', 'active'] as const) {
      for (const listener of this.listeners)
        listener({ name: 'test', state, kinds: ['LogDriver'] } as unknown as ExtensionStatus);
    }
  }

  /** Stops reading for so long after each piece. */
  slowMs = 0;

  /** As when its process is killed. */
  die(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#sockets.clear();
  }

  lines(): string[] {
    return this.entries.map(({ line }) => Buffer.from(line).toString());
  }
}

/** A spool whose every driver is `driver`. @param backlog bytes that may wait for it */
export function openWith(driver: FakeDriver, directory: string, backlog = 1e9): Spool {
  const extensions = {
    get: async () => driver.client,
    arrival: () => new Promise<void>(() => {}),
    nameOf: (_kind: string, name: string) => name,
    onChange: (listener: (status: ExtensionStatus) => void) => {
      driver.listeners.add(listener);
      return () => driver.listeners.delete(listener);
    },
  } as unknown as Extensions;
  const roots = { dataRoot: join(directory, 'data'), execRoot: join(directory, 'exec') };
  const outbox = openOutbox({ store: memoryStore(), extensions, log: silentLogger });
  outbox.start();
  const config = { ...roots, logBacklog: backlog } as LogsConfig;
  return openSpool({ config, log: silentLogger, extensions, outbox });
}
