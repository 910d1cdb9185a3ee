import { StringDecoder } from 'node:string_decoder';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { decode, parseJson } from '@cleat/protocol/json';
import Type, { type Static } from '@cleat/protocol/schema';
import { readable } from '@cleat/protocol/untrusted';

const Message = Type.Object({
  Type: Type.String(),
  Action: Type.String(),
  Actor: Type.Object({ ID: Type.String(), Attributes: Type.Record(Type.String(), Type.String()) }),
  scope: Type.String(),
  time: Type.Integer(),
  timeNano: Type.BigInt(),
  Cursor: Type.Optional(Type.String()),
});

/**
 * An event as an engine tells it. `Type` is `container`, `image`, `volume`, `network`, `plugin`, `daemon`, … `time` is
 * in seconds, `timeNano` in nanoseconds since the epoch: int64, hence a bigint. `Cursor` is Cleat's, and names its place.
 */
export type EngineEvent = Static<typeof Message>;

/** An event carries the labels of its container, which may be many. */
const longestLine = 4 * 1024 * 1024;

/** Cuts what arrives into lines, a JSON object each, and reads them. */
export class MessageReader {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  /** @throws Unavailable for what is no event */
  read(chunk: Buffer): EngineEvent[] {
    const text = this.#rest + this.#decoder.write(chunk);
    const lines = text.split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > longestLine) throw noEvent('a line without end');
    return lines.filter((line) => line.trim() !== '').map(toEvent);
  }
}

function toEvent(line: string): EngineEvent {
  let event: EngineEvent;
  try {
    event = decode(Message, parseJson(line), 'event');
  } catch (cause) {
    throw noEvent(`${readable(line, 100)} (${messageOf(cause)})`, cause);
  }
  if (event.Type === '' || event.timeNano <= 0n) throw noEvent(readable(line, 100));
  return event;
}

const noEvent = (what: string, cause?: unknown) =>
  unavailable(`the engine sent something that is no event: ${what}`, { cause });
