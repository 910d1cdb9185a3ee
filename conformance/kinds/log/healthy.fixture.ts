import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { invalidParameter } from '@cleat/protocol/errors';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { logKind } from '@cleat/protocol/kinds/log';
import { encodeLogEntry, type LogEntry } from '@cleat/protocol/log-entry';
import { LogEntryDecoder } from '@cleat/protocol/log-entry-decoder';
import { nanosOf } from '@cleat/sdk/logs/time';
import { Pipe } from './pipe.fixture.js';

export type LogHandlers = Required<Handlers<typeof logKind>>;

const followMs = 5;

/** A log driver that does everything right, with little: a file of entries for each container, and a list of streams. */
export class HealthyLogs implements LogHandlers, Disposable {
  readonly root: string;
  readonly #pipes = new Map<string, Pipe>();

  constructor(root: string) {
    this.root = root;
    mkdirSync(join(root, 'logs'), { recursive: true });
    for (const [path, id] of Object.entries(this.streams)) if (existsSync(path)) this.open(path, id);
  }

  /** Which container each stream belongs to. */
  get streams(): Record<string, string> {
    const file = join(this.root, 'streams.json');
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  }

  set streams(streams: Record<string, string>) {
    writeFileSync(join(this.root, 'streams.new'), JSON.stringify(streams));
    renameSync(join(this.root, 'streams.new'), join(this.root, 'streams.json'));
  }

  file = (id: string): string => join(this.root, 'logs', id);

  open = (path: string, id: string): void => {
    const decoder = new LogEntryDecoder();
    const take = (chunk: Buffer) => {
      const kept = decoder.push(chunk).map((entry) => encodeLogEntry(this.kept(entry)));
      appendFileSync(this.file(id), Buffer.concat(kept));
    };
    this.#pipes.set(path, new Pipe(path, take, () => this.forget(path)));
  };

  forget = (path: string): void => {
    this.#pipes.get(path)?.[Symbol.dispose]();
    this.#pipes.delete(path);
    const { [path]: _gone, ...others } = this.streams;
    this.streams = others;
  };

  /** As `docker logs` is to show it. */
  kept = (entry: LogEntry): LogEntry => {
    const goesOn = entry.partial && !entry.partialLogMetadata?.last;
    return goesOn ? entry : { ...entry, line: Buffer.concat([entry.line, Buffer.from('\n')]) };
  };

  entries = (id: string): LogEntry[] =>
    existsSync(this.file(id)) ? new LogEntryDecoder().push(readFileSync(this.file(id))) : [];

  isWritten = (id: string): boolean => Object.values(this.streams).includes(id);

  StartLogging: LogHandlers['StartLogging'] = ({ File, Info }) => {
    const [unknown] = Object.keys(Info.Config ?? {});
    if (unknown !== undefined) throw invalidParameter(`this driver has no option ${unknown}`);
    if (!existsSync(File)) throw invalidParameter(`there is no stream ${File}`);
    this.open(File, Info.ContainerID);
    this.streams = { ...this.streams, [File]: Info.ContainerID };
  };

  StopLogging: LogHandlers['StopLogging'] = ({ File }) => {
    this.#pipes.get(File)?.drain();
    this.forget(File);
  };

  Capabilities: LogHandlers['Capabilities'] = () => ({ Cap: { ReadLogs: true } });

  ValidateOptions: LogHandlers['ValidateOptions'] = () => ({});

  ReadLogs: LogHandlers['ReadLogs'] = ({ Info: { ContainerID }, Config }, { signal }) =>
    this.read(ContainerID, Config, signal);

  async *read(
    id: string,
    { Since, Until, Tail = -1, Follow }: Parameters<LogHandlers['ReadLogs']>[0]['Config'],
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const [since, until] = [Since, Until].map((time) => (time?.startsWith('0001') ? undefined : nanosOf(time ?? '')));
    const all = this.entries(id);
    const wanted = all.filter(
      ({ timeNano }) => (since === undefined || timeNano >= since) && (until === undefined || timeNano <= until),
    );
    for (const entry of Tail < 0 ? wanted : wanted.slice(wanted.length - Math.min(Tail, wanted.length)))
      yield encodeLogEntry(entry);
    for (let seen = all.length, more = Follow === true; more && !signal.aborted; await pause(followMs)) {
      more = this.isWritten(id);
      for (const entry of this.entries(id).slice(seen)) {
        seen++;
        yield encodeLogEntry(entry);
      }
    }
  }

  /** As a crash leaves it: the streams are listed, and nobody reads them. */
  [Symbol.dispose](): void {
    for (const pipe of this.#pipes.values()) pipe[Symbol.dispose]();
    this.#pipes.clear();
  }
}
